import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { assert } from '../../core/index.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import type { Channel } from '../target/initiator.js'
import {
  type Fields,
  get,
  getBytes,
  getNumber,
  maxInline,
  type RequestName,
  request,
  responses,
  type Values,
} from './control-bytes.js'
import { FabricEnd } from './fabric-end.js'
import { leakedFlag, messageRoom, modes, persistMessage } from './lane-bytes.js'

export interface Grant {
  readonly status: number
  readonly port: number
  readonly method: 'GPSPM' | 'APM'
  readonly rkey: bigint
  readonly raddr: bigint
  readonly lanes: number
  /** Of an answer to open. */
  readonly attributes: Uint8Array
}

/** librpmem 1.12 as a daemon sees it, byte by byte; it checks what librpmem checks. */
export class PmdkInitiator {
  readonly channel: Channel

  constructor(channel: Channel) {
    this.channel = channel
  }

  /** The first word of the daemon: 0, or an errno. */
  async status(): Promise<number> {
    const word = await this.channel.read(4)
    assert(word.length === 4, 'the daemon says how its start went')
    return new DataView(word.buffer, word.byteOffset).getInt32(0, true)
  }

  /** Status of the answer. */
  async ask(name: RequestName, values: Values = {}, poolSet = ''): Promise<number> {
    return (await this.answerTo(name, values, poolSet)).status
  }

  async serve(name: 'create' | 'open', poolSet: string, values: Values): Promise<Grant> {
    const { bytes, status } = await this.answerTo(name, values, poolSet)
    const fields = responses.open.fields
    return {
      status,
      port: getNumber(bytes, fields.port),
      method: getNumber(bytes, fields.method) === 2 ? 'APM' : 'GPSPM',
      rkey: get(bytes, fields.rkey),
      raddr: get(bytes, fields.raddr),
      lanes: getNumber(bytes, fields.lanes),
      attributes: getBytes(bytes, fields.attributes),
    }
  }

  async answerTo(name: RequestName, values: Values, poolSet = '') {
    this.channel.input.write(request(name, values, poolSet))
    const { size, type } = responses[name]
    const fields: Fields & typeof responses.close.fields = responses[name].fields
    const bytes = await this.channel.read(size)
    assert(bytes.length === size, `an answer to ${name} takes ${size} bytes, not ${bytes.length}`)
    assert(getNumber(bytes, fields.type) === type, 'the type of an answer follows that of its request')
    assert(getNumber(bytes, fields.size) === size, 'an answer says its size')
    const status = getNumber(bytes, fields.status)
    const rest = bytes.subarray(16)
    assert(status === 0 || rest.every(byte => byte === 0), 'behind the header of a refusal everything is zero')
    return { bytes, status }
  }
}

export interface LanesRequest {
  readonly grant: Grant
  readonly size: number
  /** Fewer or more than were granted. */
  readonly lanes?: number
}

export interface LaneCall {
  readonly lane?: number
  readonly relaxed?: boolean
  /** As over verbs (RPMEM_PERSIST_SEND): the bytes travel in the message. */
  readonly inline?: boolean
}

/** The lanes of librpmem over sockets: which call sends what is the table of its operations. */
export class PmdkLanes {
  readonly end: FabricEnd
  readonly #grant: Grant
  readonly #memory: number

  private constructor(end: FabricEnd, grant: Grant, memory: number) {
    this.end = end
    this.#grant = grant
    this.#memory = memory
  }

  /** Connects the lanes one after another. */
  static async connect(t: Test, { grant, size, lanes = grant.lanes }: LanesRequest): Promise<PmdkLanes> {
    const file = join(temporaryFolder(t, 'rpmem-pmdk-initiator'), 'memory')
    const memory = openSync(file, 'w+')
    t.teardown(() => closeSync(memory))
    writeSync(memory, Buffer.of(0), 0, 1, size - 1)
    const end = FabricEnd.initiator(t, { lanes, file, size, messageRoom: messageRoom(maxInline) }, grant.port)
    await end.told('ready')
    return new PmdkLanes(end, grant, memory)
  }

  /** Puts bytes into the local memory. */
  store(offset: number, bytes: Uint8Array): void {
    writeSync(this.#memory, bytes, 0, bytes.length, offset)
  }

  async persist(offset: number, length: number, { lane = 0, inline = false }: LaneCall = {}): Promise<void> {
    if (inline) return this.#sendInline(offset, length, lane)
    this.#write(lane, offset, length)
    await (this.#grant.method === 'APM' ? this.#fence(lane) : this.send(lane, modes.flush, offset, length))
  }

  async deepPersist(offset: number, length: number, lane = 0): Promise<void> {
    this.#write(lane, offset, length)
    // Over sockets APM goes no deeper; over verbs, as with GPSPM, the target is asked.
    await (this.#grant.method === 'APM' ? this.#fence(lane) : this.send(lane, modes.deep, offset, length))
  }

  async flush(offset: number, length: number, { lane = 0, relaxed = false }: LaneCall = {}): Promise<void> {
    if (this.#grant.method === 'GPSPM') return this.persist(offset, length, { lane })
    if (!relaxed) return this.#sendInline(offset, length, lane)
    this.#write(lane, offset, length)
  }

  async drain(lane = 0): Promise<void> {
    if (this.#grant.method === 'APM') await this.#fence(lane)
  }

  async read(offset: number, length: number, lane = 0): Promise<Uint8Array> {
    this.end.tell('read', lane, length, this.#grant.rkey, this.#grant.raddr + BigInt(offset))
    return new Uint8Array(Buffer.from(await this.end.told('data', lane), 'hex'))
  }

  /** One message and its answer, in which only the lane means something. */
  async send(lane: number, flags: number, offset: number, size: number, data?: Uint8Array): Promise<void> {
    const message = { flags, lane, address: this.#grant.raddr + BigInt(offset), size }
    this.end.tellBytes('send', lane, persistMessage(data ? { ...message, data } : message))
    await this.end.told('sent', lane)
    const answer = Buffer.from(await this.end.told('answer', lane), 'hex')
    assert(answer.length === 8, 'an answer takes 8 bytes')
    assert(answer.readUInt32LE(4) === lane, 'an answer echoes its lane')
    this.end.tell('listen', lane)
  }

  /** Eight bytes from the beginning of the pool: a read that pushes the writes before it home. */
  async #fence(lane: number): Promise<void> {
    await this.read(0, 8, lane)
  }

  async #sendInline(offset: number, length: number, lane: number): Promise<void> {
    for (let at = 0; at < length; at += maxInline) {
      const size = Math.min(maxInline, length - at)
      const data = new Uint8Array(size)
      readSync(this.#memory, data, 0, size, offset + at)
      const flags = at > 0 ? modes.inline | leakedFlag : modes.inline
      await this.send(lane, flags, offset + at, size, data)
    }
  }

  #write(lane: number, offset: number, length: number): void {
    this.end.tell('write', lane, offset, length, this.#grant.rkey, this.#grant.raddr)
  }
}
