import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { assert } from '../../core/index.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { type FarEnd, ScriptedShell } from '../initiator/scripted-shell.js'
import {
  getBytes,
  getNumber,
  type RequestName,
  readRequest,
  requests,
  response,
  sizeOfRequest,
} from './control-bytes.js'
import { FabricEnd } from './fabric-end.js'
import { messageRoom, modes, persistAnswer, readPersist } from './lane-bytes.js'

export interface PmdkDaemonOptions {
  readonly method?: 'GPSPM' | 'APM'
  /** Lanes it can serve; sockets: 16. */
  readonly maxLanes?: number
  /** Without headers no attributes are kept. */
  readonly headers?: boolean
  /** Refuses these requests with a status. */
  readonly refusals?: Readonly<Partial<Record<RequestName, number>>>
}

/** A persist message as it came in, counted from the beginning of the pool. */
export interface Carried {
  readonly lane: number
  readonly flags: number
  readonly offset: number
  readonly size: number
}

interface Pool {
  readonly file: string
  readonly fd: number
  readonly size: number
}

const none = new Uint8Array(104)

/** rpmemd 1.12 as an initiator sees it, byte by byte, behind a shell; the pool outlives the sessions. */
export class PmdkDaemon {
  readonly shell: ScriptedShell
  /** Names of the requests, in order. */
  readonly asked: string[] = []
  readonly carried: Carried[] = []
  readonly exits: number[] = []
  attributes = none
  flags = -1
  lanesAsked = 0
  lanesGranted = 0
  #die: () => void = () => {}
  #pool: Pool | undefined
  readonly #test: Test
  readonly #options: PmdkDaemonOptions

  constructor(t: Test, options: PmdkDaemonOptions = {}) {
    this.#test = t
    this.#options = options
    this.shell = new ScriptedShell(far => this.#serve(far))
  }

  stored(offset: number, length: number): Uint8Array {
    assert(this.#pool !== undefined, 'there is a pool')
    return readFileSync(this.#pool.file).subarray(offset, offset + length)
  }

  /** Puts bytes into the pool as the daemon's machine might. */
  store(offset: number, bytes: Uint8Array): void {
    assert(this.#pool !== undefined, 'there is a pool')
    writeSync(this.#pool.fd, bytes, 0, bytes.length, offset)
  }

  /** As SIGKILL. */
  die(): void {
    this.#die()
  }

  #serve(far: FarEnd): void {
    far.output.write(new Uint8Array(4))
    let held: Buffer = Buffer.of()
    let lanes: FabricEnd | undefined
    let turn = Promise.resolve()
    this.#die = () => {
      lanes?.kill()
      far.exit({ signal: 'SIGKILL' })
    }
    const exit = (exitCode: number) => {
      this.exits.push(exitCode)
      far.exit({ exitCode })
    }
    const take = async () => {
      for (let size = sizeOfRequest(held); size !== undefined && held.length >= size; size = sizeOfRequest(held)) {
        const message = new Uint8Array(held.subarray(0, size))
        held = held.subarray(size)
        const { name } = readRequest(message)
        this.asked.push(name)
        const refusal = this.#options.refusals?.[name] ?? 0
        if (name === 'create' || name === 'open') {
          if (refusal === 0) lanes = await this.#grant(name, message, far)
          else far.output.write(response(name, { status: refusal }))
          if (refusal !== 0) return exit(0)
        } else if (name === 'setAttributes') {
          if (refusal === 0)
            this.attributes = new Uint8Array(getBytes(message, requests.setAttributes.fields.attributes))
          far.output.write(response(name, { status: refusal }))
        } else {
          this.flags = getNumber(message, requests.close.fields.flags)
          await lanes?.end()
          far.output.write(response(name, { status: refusal }))
          return exit(0)
        }
      }
    }
    far.input.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      turn = turn.then(take)
    })
    far.input.on('end', () => {
      turn = turn.then(async () => {
        if (this.exits.length > 0) return
        await lanes?.end()
        // The stray word of a session that ends without close.
        far.output.write(Buffer.of(2, 0, 0, 0))
        exit(1)
      })
    })
    void far.killed.then(() => lanes?.end())
  }

  async #grant(name: 'create' | 'open', message: Uint8Array, far: FarEnd): Promise<FabricEnd> {
    const { fields } = requests.create
    const size = getNumber(message, fields.poolSize)
    const { method = 'GPSPM', maxLanes = 16, headers = true } = this.#options
    this.lanesAsked = getNumber(message, fields.lanes)
    this.lanesGranted = Math.min(this.lanesAsked, maxLanes)
    if (name === 'create') this.attributes = headers ? new Uint8Array(getBytes(message, fields.attributes)) : none
    const pool = this.#poolOf(size)
    const room = messageRoom(getNumber(message, fields.bufferSize))
    const { end, port, rkey, raddr } = await FabricEnd.target(this.#test, {
      ...{ lanes: this.lanesGranted, file: pool.file, size, messageRoom: room },
    })
    end.onMessage((lane, bytes) => this.#carry(end, pool, raddr, lane, bytes))
    const inBand = { port, method: method === 'APM' ? 2 : 1, rkey, raddr, lanes: this.lanesGranted }
    far.output.write(response(name, name === 'create' ? inBand : { ...inBand, attributes: this.attributes }))
    return end
  }

  #poolOf(size: number): Pool {
    if (this.#pool) return this.#pool
    const file = join(temporaryFolder(this.#test, 'rpmem-pmdk-daemon'), 'pool')
    const fd = openSync(file, 'w+')
    this.#test.teardown(() => closeSync(fd))
    writeSync(fd, Buffer.of(0), 0, 1, size - 1)
    this.#pool = { file, fd, size }
    return this.#pool
  }

  /** The worker of rpmemd; what it does not check, it does not check here either, except that a test must not break. */
  #carry(end: FabricEnd, pool: Pool, raddr: bigint, arrivedOn: number, bytes: Uint8Array): void {
    const { flags, lane, address, size, data } = readPersist(bytes)
    const offset = Number(address - raddr)
    this.carried.push({ lane, flags, offset, size })
    assert(lane === arrivedOn, 'a message names its lane')
    assert(offset >= 0 && offset + size <= pool.size, 'a message names a range of the pool')
    const inline = (flags & 3) === modes.inline
    assert(data?.length === (inline ? size : 0), 'inline data is as long as the message says')
    assert(
      inline || this.#options.method !== 'APM' || (flags & 3) === modes.deep,
      'mode 0 under APM would abort rpmemd',
    )
    if (inline && data) writeSync(pool.fd, data, 0, size, offset)
    end.tellBytes('answer', lane, persistAnswer(lane))
  }
}
