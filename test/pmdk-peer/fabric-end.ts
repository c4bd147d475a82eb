import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const ofNoLane = ['port', 'ready', 'failed']

let program: string | undefined

/** fabric-end.c, compiled once for a test file and gone with it. */
function built(): string {
  if (program !== undefined) return program
  const folder = mkdtempSync(join(tmpdir(), 'rpmem-fabric-end-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'fabric-end')
  const source = fileURLToPath(new URL('../../../test/pmdk-peer/fabric-end.c', import.meta.url))
  // The C++ compiler is there wherever the addon was built, and in this language it is one for C.
  execFileSync('g++', ['-x', 'c', '-O1', '-o', file, source, '-x', 'none', '-lfabric'])
  program = file
  return file
}

export interface FabricEndOptions {
  readonly address?: string
  /** Name of the provider inside libfabric; default sockets, as between ends of PMDK without verbs. */
  readonly provider?: string
  readonly lanes: number
  /** The memory of this side. */
  readonly file: string
  readonly size: number
  readonly messageRoom: number
  /** What each request to connect brings along; PMDK's bring nothing. */
  readonly greetings?: readonly Uint8Array[]
}

/** fabric-end.c in a process of its own: endpoints as PMDK opens them, bytes as a test makes them. */
export class FabricEnd {
  readonly ended: Promise<number | NodeJS.Signals>
  /** Everything that it told, for the messages of a test that fails. */
  readonly history: string[] = []
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #told = new Map<string, string[]>()
  readonly #waiting = new Map<string, (rest: string | Error) => void>()
  #heard: (lane: number, bytes: Uint8Array) => void = () => {}
  #over = false

  private constructor(t: Test, role: 'target' | 'initiator', options: FabricEndOptions, port?: number) {
    const { address = '127.0.0.1', provider = 'sockets', lanes, file, size, messageRoom } = options
    const greetings = options.greetings?.map(bytes => Buffer.from(bytes).toString('hex')).join(',') ?? ''
    const dialled = port === undefined ? [] : [port, greetings]
    const words = [role, provider, address, lanes, file, size, messageRoom, ...dialled]
    this.#child = spawn(built(), words.map(String), { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.stdin.on('error', () => {})
    createInterface(this.#child.stdout).on('line', line => this.#line(line))
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#over = true
      for (const wake of this.#waiting.values()) wake(new Error(`the fabric end is gone: ${this.history.slice(-5)}`))
      return code ?? signal
    })
    t.teardown(() => this.end())
  }

  /** Resolves once it listens. */
  static async target(
    t: Test,
    options: FabricEndOptions,
  ): Promise<{ end: FabricEnd; port: number; rkey: bigint; raddr: bigint }> {
    const end = new FabricEnd(t, 'target', options)
    const [port = '', rkey = '', raddr = ''] = (await end.told('port')).split(' ')
    return { end, port: Number(port), rkey: BigInt(rkey), raddr: BigInt(raddr) }
  }

  /** Resolves at once: whoever wants the lanes waits for `ready`. */
  static initiator(t: Test, options: FabricEndOptions, port: number): FabricEnd {
    return new FabricEnd(t, 'initiator', options, port)
  }

  /** What follows these words in the next line that begins with them. */
  async told(...words: readonly (string | number)[]): Promise<string> {
    const key = words.join(' ')
    const early = this.#told.get(key)?.shift()
    if (early !== undefined) return early
    if (this.#over) throw new Error(`the fabric end is gone before '${key}': ${this.history.slice(-5)}`)
    const rest = await new Promise<string | Error>(resolve => this.#waiting.set(key, resolve))
    this.#waiting.delete(key)
    if (typeof rest === 'string') return rest
    throw rest
  }

  /** Each message that arrives, from now on. */
  onMessage(heard: (lane: number, bytes: Uint8Array) => void): void {
    this.#heard = heard
  }

  tell(...words: readonly (string | number | bigint)[]): void {
    this.#child.stdin.write(`${words.join(' ')}\n`)
  }

  tellBytes(word: string, lane: number, bytes: Uint8Array): void {
    this.tell(word, lane, Buffer.from(bytes).toString('hex'))
  }

  async end(): Promise<void> {
    this.#child.stdin.end()
    await this.ended
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #line(line: string): void {
    this.history.push(line.slice(0, 100))
    const [word = '', lane = '', rest = ''] = line.split(' ')
    if (word === 'message') this.#heard(Number(lane), new Uint8Array(Buffer.from(rest, 'hex')))
    else if (ofNoLane.includes(word)) this.#keep(word, line.slice(word.length + 1))
    else this.#keep(`${word} ${lane}`, rest)
  }

  #keep(key: string, rest: string): void {
    const wake = this.#waiting.get(key)
    if (wake) wake(rest)
    else this.#told.set(key, [...(this.#told.get(key) ?? []), rest])
  }
}
