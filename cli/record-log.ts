import { crc32 } from 'node:zlib'
import { alignUp } from '../core/index.js'

/**
 * A log of records in a pool: each is a head of 8 bytes (length u32 LE, CRC-32 of the bytes u32 LE) and the bytes, padded
 * to 8. One persist makes a record durable as a whole; a reader stops at the first head that is zero or does not fit, so
 * that a record torn by a crash is not seen. The memory of a fresh pool is zero.
 */
const headSize = 8

/** What a log needs of a pool. */
export interface LogMemory {
  readonly size: number
  view(offset: number, length: number): Uint8Array
}

/** Bytes that a record of this length takes in the log. */
export const recordSpace = (length: number): number => alignUp(headSize + length, headSize)

export interface Placed {
  readonly offset: number
  readonly length: number
}

export class RecordLog {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #end = 0

  constructor(memory: LogMemory) {
    this.#bytes = memory.view(0, memory.size)
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength)
  }

  /** Stores the record behind the last one; the caller persists the range that it gets. */
  append(record: Uint8Array): Placed {
    const offset = this.#end
    this.#bytes.set(record, offset + headSize)
    this.#view.setUint32(offset + 4, crc32(record), true)
    this.#view.setUint32(offset, record.length, true)
    this.#end = offset + recordSpace(record.length)
    return { offset, length: headSize + record.length }
  }

  /** The records in order, as windows over the memory. */
  *read(): Generator<Uint8Array> {
    for (let at = 0; at + headSize <= this.#bytes.length; ) {
      const length = this.#view.getUint32(at, true)
      if (length === 0 || at + headSize + length > this.#bytes.length) return
      const record = this.#bytes.subarray(at + headSize, at + headSize + length)
      if (crc32(record) !== this.#view.getUint32(at + 4, true)) return
      yield record
      at += recordSpace(length)
    }
  }
}
