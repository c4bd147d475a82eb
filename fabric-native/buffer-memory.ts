import { markAsUntransferable } from 'node:worker_threads'
import { errno, RpmemError } from '../core/index.js'
import type { CopyOptions, DurabilityMethod, Memory } from './memory.js'
import {
  isRange,
  maxViewLength,
  outside,
  poisoned,
  refused,
  requireByte,
  requireBytes,
  requireNumbers,
  tooLong,
  truncated,
} from './memory-error.js'
import { Resizable, type ResizableArrayBuffer } from './resizable-buffer.js'

export interface BufferMemoryOptions {
  /** Default `volatile`. With any other the memory remembers what is durable. */
  readonly method?: DurabilityMethod
}

/**
 * Memory in an ArrayBuffer: the contract of NativeMemory without the addon, for simulation and unit tests. What is durable is
 * kept apart, so that a test can look at what a power failure would leave, and the failures of real storage can be played.
 */
export class BufferMemory implements Memory {
  readonly size: number
  readonly method: DurabilityMethod
  readonly #buffer: ResizableArrayBuffer
  readonly #bytes: Uint8Array
  readonly #durable: Uint8Array | undefined
  #flushed: { offset: number; length: number }[] = []
  #refusal: number | undefined
  #failure: RpmemError | undefined
  #closed = false

  /** @param size bytes, at least 1 */
  constructor(size: number, options: BufferMemoryOptions = {}) {
    if (!isRange(0, size, maxViewLength) || size === 0) {
      throw new RpmemError('ERR_MAP', `a memory cannot have ${size} bytes`, { facts: { size } })
    }
    this.size = size
    this.method = options.method ?? 'volatile'
    this.#buffer = new Resizable(size, { maxByteLength: size })
    this.#bytes = new Uint8Array(this.#buffer)
    markAsUntransferable(this.#buffer)
    if (this.method !== 'volatile') this.#durable = new Uint8Array(size)
  }

  get closed(): boolean {
    return this.#closed
  }

  get failure(): RpmemError | undefined {
    return this.#failure
  }

  /** A copy of what a power failure would leave at this moment: exactly what was made durable. */
  afterPowerFailure(): Uint8Array {
    return this.#durable?.slice() ?? new Uint8Array(this.size)
  }

  /** The next operation that makes something durable fails with this errno, and the memory is poisoned. */
  refuseNext(code: number = errno.EIO): void {
    this.#refusal = code
  }

  /** As if the file had shrunk and somebody had touched a page that is gone. */
  truncate(): void {
    this.#failure ??= truncated()
  }

  view(offset: number, length: number): Uint8Array {
    this.#check(offset, length)
    if (length > maxViewLength) throw tooLong(length)
    return new Uint8Array(this.#buffer, offset, length)
  }

  read(offset: number, into: Uint8Array): void {
    requireBytes(into)
    this.#check(offset, into.length)
    into.set(this.#bytes.subarray(offset, offset + into.length))
  }

  flush(offset: number, length: number): void {
    this.#check(offset, length)
    if (this.#durable) this.#flushed.push({ offset, length })
  }

  drain(): void {
    this.#check(0, 0)
    const flushed = this.#flushed.splice(0)
    for (const { offset, length } of flushed) this.#makeDurable(offset, length)
  }

  persist(offset: number, length: number): void {
    this.flush(offset, length)
    this.drain()
  }

  deepPersist(offset: number, length: number): void {
    this.persist(offset, length)
  }

  copyIn(offset: number, source: Uint8Array, options?: CopyOptions): void {
    requireBytes(source)
    this.#check(offset, source.length)
    this.#bytes.set(source, offset)
    this.#complete(offset, source.length, options)
  }

  move(to: number, from: number, length: number, options?: CopyOptions): void {
    this.#check(to, length)
    this.#check(from, length)
    this.#bytes.copyWithin(to, from, from + length)
    this.#complete(to, length, options)
  }

  fill(offset: number, byte: number, length: number, options?: CopyOptions): void {
    requireByte(byte)
    this.#check(offset, length)
    this.#bytes.fill(byte, offset, offset + length)
    this.#complete(offset, length, options)
  }

  copyFrom(other: Memory, offset: number, length: number, options?: CopyOptions): void {
    this.#check(offset, length)
    other.read(offset, this.#bytes.subarray(offset, offset + length))
    this.#complete(offset, length, options)
  }

  close(): void {
    this.#closed = true
    this.#buffer.resize(0)
  }

  #complete(offset: number, length: number, options: CopyOptions = {}): void {
    if (options.noFlush) return
    this.flush(offset, length)
    if (!options.noDrain) this.drain()
  }

  #check(offset: number, length: number): void {
    if (this.#closed) throw new RpmemError('ERR_CLOSED', 'the memory was closed')
    if (this.#failure) throw this.#failure
    requireNumbers(offset, length)
    if (!isRange(offset, length, this.size)) throw outside(offset, length, this.size)
  }

  #makeDurable(offset: number, length: number): void {
    const refusal = this.#refusal
    if (refusal === undefined) {
      this.#durable?.set(this.#bytes.subarray(offset, offset + length), offset)
      return
    }
    const error = refused(refusal, offset, length)
    this.#refusal = undefined
    this.#failure = poisoned(error)
    throw error
  }
}
