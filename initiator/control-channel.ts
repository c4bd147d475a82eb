import { assert, type Clock, printable, RpmemError } from '../core/index.js'
import { type FirstWord, FirstWordReader, type Frame, Framer, type FrameShape } from '../wire/index.js'
import { endedTooEarly, type RemoteReport, remoteError } from './remote-end.js'
import type { RemoteEnd, RemoteProcess } from './remote-shell.js'
import { aborted } from './ssh-failure.js'

export interface ChannelOptions {
  readonly clock: Clock
  /** For messages: name of the shell and the command without its arguments. */
  readonly name: string
  readonly command: string
  readonly external: boolean
  /** Until the daemon's first word. */
  readonly startDeadlineMs: number
}

const maxStderr = 16 * 1024
const maxNoise = 1024
/** How long text is collected after its first bytes, so that the error shows more than four letters. */
const noiseMs = 250
const farewellMs = 2000

/** The byte channel to one daemon: recognises it, cuts frames, keeps what it said on standard error. */
export class ControlChannel {
  readonly #process: RemoteProcess
  readonly #options: ChannelOptions
  readonly #word = new FirstWordReader()
  #stderr = ''
  #noise: Buffer | undefined
  #recognition: 'pmdk' | 'rpmem' | RpmemError | undefined
  #framer: Framer | undefined
  #deliver: (frame: Frame) => void = () => {}
  #onEnd: (error: RpmemError) => void = () => {}
  #held: Uint8Array[] = []
  #end: RemoteEnd | undefined
  #failure: RpmemError | undefined
  /** The end is what was asked for: no failure. */
  #finishing = false

  constructor(process: RemoteProcess, options: ChannelOptions) {
    this.#process = process
    this.#options = options
    process.stderr.on('data', (chunk: Buffer) => this.#keepStderr(chunk))
    process.stdin.on('error', () => {})
    process.stdout.on('error', () => {})
    process.stderr.on('error', () => {})
  }

  get peerAddress(): string | undefined {
    return this.#process.peerAddress
  }

  get failure(): RpmemError | undefined {
    return this.#failure
  }

  get ended(): Promise<RemoteEnd> {
    return this.#process.ended
  }

  /** Waits for the first word; every other beginning is the error that names it. */
  recognise(signal?: AbortSignal): Promise<'pmdk' | 'rpmem'> {
    const { clock, startDeadlineMs } = this.#options
    return new Promise((resolve, reject) => {
      const abort = () => settle(aborted(signal as AbortSignal))
      const settle = (outcome: 'pmdk' | 'rpmem' | RpmemError) => {
        cancel()
        signal?.removeEventListener('abort', abort)
        if (this.#recognition) return
        this.#recognition = outcome
        if (typeof outcome === 'string') return resolve(outcome)
        this.#failure = outcome
        this.#process.kill()
        reject(outcome)
      }
      const late = () => settle(this.#error('ERR_DEADLINE', `rpmemd was not ready within ${startDeadlineMs} ms`))
      const cancel = clock.after(startDeadlineMs, late, 'holds')
      this.#process.stdout.on('data', (chunk: Buffer) => this.#received(chunk, settle))
      signal?.addEventListener('abort', abort, { once: true })
      if (signal?.aborted) abort()
      // Last words and end may come in one packet: whoever waits for the words hears them before the end is judged.
      void this.#process.ended.then(end => setImmediate(() => this.#ended(end, settle)))
    })
  }

  /** From now on frames are cut and delivered; the end of the channel is told once. What came early is delivered first. */
  serve(shape: FrameShape, deliver: (frame: Frame) => void, onEnd: (error: RpmemError) => void): void {
    this.#framer = new Framer(shape)
    this.#deliver = deliver
    this.#onEnd = onEnd
    for (const chunk of this.#held.splice(0)) this.#push(chunk)
    if (this.#failure) onEnd(this.#failure)
  }

  send(bytes: Uint8Array): void {
    if (this.#failure) throw this.#failure
    this.#process.stdin.write(bytes)
  }

  /** The conversation is over: the daemon is given the end of its input and a moment to end, which is no failure. */
  finish(): Promise<void> {
    this.#finishing = true
    this.#process.stdin.end()
    return new Promise(resolve => {
      const cancel = this.#options.clock.after(farewellMs, resolve, 'holds')
      void this.#process.ended.then(() => {
        cancel()
        resolve()
      })
    })
  }

  /** Breaks the channel; a session that is served learns it. */
  fail(error: RpmemError): void {
    if (this.#failure) return
    this.#failure = error
    this.#process.kill()
    this.#onEnd(error)
  }

  kill(): void {
    this.#finishing = true
    this.#process.kill()
  }

  unref(): void {
    this.#process.unref()
  }

  #received(chunk: Buffer, settle: (outcome: 'pmdk' | 'rpmem' | RpmemError) => void): void {
    if (this.#framer) this.#push(chunk)
    else if (this.#noise) this.#moreNoise(chunk)
    else if (this.#held.length > 0) this.#held.push(chunk)
    else this.#recognised(this.#word.push(chunk), settle)
  }

  #recognised(word: FirstWord | undefined, settle: (outcome: 'pmdk' | 'rpmem' | RpmemError) => void): void {
    if (word === undefined) return
    if (word.kind === 'noise') {
      this.#heardNoise(word.bytes, settle)
    } else if (word.kind === 'startup') {
      this.#heardFailure(word.errno, settle)
    } else {
      // Held even when empty: from here on chunks belong to the dialect.
      this.#held.push(word.rest)
      settle(word.kind)
    }
  }

  #push(chunk: Uint8Array): void {
    if (this.#failure) return
    assert(this.#framer !== undefined, 'frames are cut once the dialect is known')
    try {
      this.#framer.push(chunk, this.#deliver)
    } catch (error) {
      if (!(error instanceof RpmemError)) throw error
      this.fail(error)
    }
  }

  #heardNoise(bytes: Uint8Array, settle: (outcome: RpmemError) => void): void {
    this.#noise = Buffer.from(bytes)
    this.#options.clock.after(noiseMs, () => settle(this.#noiseError()), 'holds')
  }

  /** The reason stands on standard error, which comes on a way of its own: the end of the daemon tells that all of it is here. */
  #heardFailure(errno: number, settle: (outcome: RpmemError) => void): void {
    const tell = () => settle(this.#startupError(errno))
    const cancel = this.#options.clock.after(noiseMs, tell, 'holds')
    void this.#process.ended.then(cancel).then(tell)
  }

  #moreNoise(chunk: Buffer): void {
    this.#noise = Buffer.concat([this.#noise ?? Buffer.of(), chunk]).subarray(0, maxNoise)
  }

  #ended(end: RemoteEnd, settle: (outcome: RpmemError) => void): void {
    this.#end = end
    const error = this.#endError()
    settle(error)
    if (this.#finishing || this.#failure) return
    this.#failure = error
    this.#onEnd(error)
  }

  #endError(): RpmemError {
    if (this.#noise) return this.#noiseError()
    if (this.#held.length > 0 || this.#framer) return this.#error('ERR_CONTROL_LOST', this.#lostRule())
    if (this.#word.received.length > 0) {
      this.#noise = Buffer.from(this.#word.received)
      return this.#noiseError()
    }
    return endedTooEarly(this.#report())
  }

  #lostRule(): string {
    const { exitCode, signal } = this.#end ?? {}
    if (signal !== undefined) return `rpmemd was ended by ${signal}`
    return exitCode === undefined ? 'the control connection broke' : `rpmemd ended with exit code ${exitCode}`
  }

  #noiseError(): RpmemError {
    const text = printable(String(this.#noise ?? ''))
    return this.#error(
      'ERR_REMOTE_NOISE',
      `text came before rpmemd could speak: ${JSON.stringify(text.slice(0, 200))}`,
      {
        text,
      },
    )
  }

  #startupError(errno: number): RpmemError {
    const error = this.#error('ERR_RPMEMD_STARTUP', `rpmemd failed to start with errno ${errno}`, {
      remoteErrno: errno,
    })
    return new RpmemError(error.code, error.message, { facts: error.facts, errno })
  }

  #error(
    code: 'ERR_CONTROL_LOST' | 'ERR_DEADLINE' | 'ERR_REMOTE_NOISE' | 'ERR_RPMEMD_STARTUP',
    rule: string,
    more = {},
  ): RpmemError {
    return remoteError(code, rule, this.#report(), more)
  }

  #report(): RemoteReport {
    const { name, command, external } = this.#options
    return { name, command, external, end: this.#end, stderr: this.#stderr }
  }

  #keepStderr(chunk: Buffer): void {
    if (this.#stderr.length < maxStderr) this.#stderr = (this.#stderr + printable(String(chunk))).slice(0, maxStderr)
  }
}
