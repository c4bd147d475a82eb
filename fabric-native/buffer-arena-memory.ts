import { markAsUntransferable } from 'node:worker_threads'
import { pageSize, RpmemError } from '../core/index.js'
import { type ArenaMemory, type Tracking, type TrackingReason, trackings } from './arena-memory.js'
import { isRange, maxViewLength, notImages, outside, requireNumbers, tooLong, truncated } from './memory-error.js'
import { countPages, eachRun, type PageRuns, requireRuns, roomFor, runsWhere } from './page-runs.js'
import { Resizable, type ResizableArrayBuffer } from './resizable-buffer.js'

export interface BufferArenaOptions {
  /** Bytes up to which `extend` can go; default `size`. */
  readonly reservation?: number
  /** Default `private-mapping`. Whatever its name, it compares, except for `marking`. */
  readonly tracking?: Tracking
  /** What the data file holds; zeros behind it. */
  readonly content?: Uint8Array
}

/** The contract of NativeArenaMemory without the addon, for simulation and unit tests. */
export class BufferArenaMemory implements ArenaMemory {
  readonly tracking: Tracking
  readonly trackingReasons: readonly TrackingReason[]
  readonly #buffer: ResizableArrayBuffer
  /** What was last taken. */
  readonly #taken: ResizableArrayBuffer
  readonly #marked = new Set<number>()
  #failure: RpmemError | undefined
  #closed = false

  /** @param size bytes, a multiple of 4096, at least 4096 */
  constructor(size: number, options: BufferArenaOptions = {}) {
    const { reservation = size, tracking = 'private-mapping', content } = options
    if (!isRange(0, size, reservation) || reservation > maxViewLength || size === 0 || size % pageSize !== 0)
      throw new RpmemError('ERR_MAP', `an arena cannot have ${size} bytes`, { facts: { size, reservation } })
    this.tracking = tracking
    this.trackingReasons = trackings.map(candidate => {
      const chosen = candidate === tracking
      return { tracking: candidate, chosen, why: chosen ? 'it was asked for' : 'another one was asked for' }
    })
    this.#buffer = new Resizable(size, { maxByteLength: reservation })
    this.#taken = new Resizable(size, { maxByteLength: reservation })
    markAsUntransferable(this.#buffer)
    if (content !== undefined) for (const bytes of [this.#buffer, this.#taken]) new Uint8Array(bytes).set(content)
  }

  get size(): number {
    return this.#taken.byteLength
  }

  get closed(): boolean {
    return this.#closed
  }

  get failure(): RpmemError | undefined {
    return this.#failure
  }

  /** As if the data file had shrunk and somebody had touched a page that is gone. */
  truncate(): void {
    this.#failure ??= truncated()
  }

  view(offset: number, length: number): Uint8Array {
    this.#check(offset, length)
    if (length > maxViewLength) throw tooLong(length)
    return new Uint8Array(this.#buffer, offset, length)
  }

  mark(offset: number, length: number): void {
    this.#check(offset, length)
    for (let at = offset - (offset % pageSize); at < offset + length; at += pageSize) this.#marked.add(at / pageSize)
  }

  peekDirty(): PageRuns {
    this.#check(0, 0)
    return runsWhere(this.size / pageSize, page => this.#marked.has(page) || this.#differs(page))
  }

  takeDirty(): PageRuns {
    const runs = this.peekDirty()
    this.#marked.clear()
    for (const [first, count] of eachRun(runs)) this.#take(first * pageSize, count * pageSize)
    return runs
  }

  copyPages(runs: PageRuns, into?: Buffer): Buffer {
    this.#check(0, 0)
    requireRuns(runs, this.size / pageSize)
    const images = roomFor(countPages(runs) * pageSize, into)
    let at = 0
    for (const [first, count] of eachRun(runs)) {
      images.set(new Uint8Array(this.#buffer, first * pageSize, count * pageSize), at)
      at += count * pageSize
    }
    return images
  }

  load(page: number, images: Uint8Array): void {
    if (!(images instanceof Uint8Array) || images.length % pageSize !== 0) throw notImages()
    requireNumbers(page)
    this.#check(page * pageSize, images.length)
    new Uint8Array(this.#buffer).set(images, page * pageSize)
    this.#take(page * pageSize, images.length)
  }

  extend(size: number): void {
    this.#check(0, 0)
    requireNumbers(size)
    if (size < this.size || size > this.#taken.maxByteLength || size % pageSize !== 0)
      throw new RpmemError('ERR_MAP', `the arena cannot grow to ${size} bytes`, { facts: { size } })
    this.#buffer.resize(size)
    this.#taken.resize(size)
  }

  close(): void {
    this.#closed = true
    this.#buffer.resize(0)
  }

  #differs(page: number): boolean {
    if (this.tracking === 'marking') return false
    const [now, taken] = [this.#buffer, this.#taken].map(bytes => new Uint8Array(bytes, page * pageSize, pageSize))
    return Buffer.compare(now as Uint8Array, taken as Uint8Array) !== 0
  }

  #take(offset: number, length: number): void {
    new Uint8Array(this.#taken).set(new Uint8Array(this.#buffer, offset, length), offset)
  }

  #check(offset: number, length: number): void {
    if (this.#closed) throw new RpmemError('ERR_CLOSED', 'the memory was closed')
    if (this.#failure) throw this.#failure
    requireNumbers(offset, length)
    if (!isRange(offset, length, this.size)) throw outside(offset, length, this.size)
  }
}
