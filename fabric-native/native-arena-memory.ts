import { errno, pageSize, RpmemError } from '../core/index.js'
import { type ArenaMemory, type Tracking, type TrackingReason, trackings } from './arena-memory.js'
import { loadBinding, type NativeBinding } from './binding.js'
import { isRange, notImages, outside, requireNumbers } from './memory-error.js'
import { isNativeFailure, systemError } from './native-failure.js'
import { type MemoryToken, NativeMemory } from './native-memory.js'
import { countPages, type PageRuns, requireRuns, roomFor } from './page-runs.js'
import { trackPages } from './page-tracking.js'

export interface NativeArenaOptions {
  /** Where the memory begins in the file, a multiple of 4096; default 0. */
  readonly offset?: number
  /** Bytes of address space, up to which `extend` can go; default `size`. */
  readonly reservation?: number
  /** Only this one; default: the first of `trackings` that this machine has. */
  readonly tracking?: Tracking
}

/**
 * A private mapping of a data file (mmap(2), MAP_PRIVATE), whose changed pages are found as `tracking` says. Pages that were
 * never stored into are the file's: who writes to it must leave those as they are. A page that was stored into takes memory
 * of its own until close(), twice that if it is tracked by `private-mapping`.
 */
export class NativeArenaMemory implements ArenaMemory {
  readonly tracking: Tracking
  readonly trackingReasons: readonly TrackingReason[]
  /** The same memory, for a heap in it. */
  readonly memory: NativeMemory
  readonly #native: NativeBinding
  readonly #fd: number
  readonly #offset: number

  private constructor(memory: NativeMemory, fd: number, { offset = 0, tracking }: NativeArenaOptions) {
    this.memory = memory
    this.#native = loadBinding()
    this.#fd = fd
    this.#offset = offset
    const chosen = trackPages(memory.handle, tracking === undefined ? trackings : [tracking])
    this.tracking = chosen.tracking
    this.trackingReasons = chosen.reasons
  }

  /**
   * `size` bytes of a file, which has at least that many.
   * @param fd must stay open as long as the memory is
   * @param size bytes, a multiple of 4096, at least 4096
   * @throws ERR_MAP, ERR_TRACKING; nothing stays mapped
   */
  static map(fd: number, size: number, options: NativeArenaOptions = {}): NativeArenaMemory {
    const memory = NativeMemory.mapPrivately([{ fd, offset: options.offset ?? 0, length: size }], options.reservation)
    try {
      return new NativeArenaMemory(memory, fd, options)
    } catch (error) {
      memory.close()
      throw error
    }
  }

  get size(): number {
    return this.memory.size
  }

  get closed(): boolean {
    return this.memory.closed
  }

  get failure(): RpmemError | undefined {
    return this.memory.failure
  }

  view(offset: number, length: number): Uint8Array {
    return this.memory.view(offset, length)
  }

  mark(offset: number, length: number): void {
    this.#check(offset, length)
    this.#call(() => this.#native.markPages(this.memory.handle, offset, length))
  }

  peekDirty(): PageRuns {
    this.#check(0, 0)
    return this.#call(() => this.#native.collectPages(this.memory.handle, false))
  }

  takeDirty(): PageRuns {
    this.#check(0, 0)
    return this.#call(() => this.#native.collectPages(this.memory.handle, true))
  }

  copyPages(runs: PageRuns, into?: Buffer): Buffer {
    this.#check(0, 0)
    requireRuns(runs, this.size / pageSize)
    const images = roomFor(countPages(runs) * pageSize, into)
    this.#call(() => this.#native.copyPages(this.memory.handle, runs, images))
    return images
  }

  load(page: number, images: Uint8Array): void {
    if (!(images instanceof Uint8Array) || images.length % pageSize !== 0) throw notImages()
    requireNumbers(page)
    this.#check(page * pageSize, images.length)
    this.memory.copyIn(page * pageSize, images, { noFlush: true })
    this.#call(() => this.#native.cleanPages(this.memory.handle, page * pageSize, images.length))
  }

  extend(size: number): void {
    this.#check(0, 0)
    requireNumbers(size)
    if (size < this.size)
      throw new RpmemError('ERR_MAP', `the arena cannot shrink to ${size} bytes`, { facts: { size } })
    if (size > this.size)
      this.memory.extend([{ fd: this.#fd, offset: this.#offset + this.size, length: size - this.size }])
  }

  /** Lets `attachMemory` in another thread of this process find the memory; its stores there are found as well. */
  share(): MemoryToken {
    return this.memory.share()
  }

  close(): void {
    this.memory.close()
  }

  #check(offset: number, length: number): void {
    if (this.closed) throw new RpmemError('ERR_CLOSED', 'the memory was closed')
    if (this.failure) throw this.failure
    requireNumbers(offset, length)
    if (!isRange(offset, length, this.size)) throw outside(offset, length, this.size)
  }

  #call<Result>(call: () => Result): Result {
    try {
      return call()
    } catch (cause) {
      if (!isNativeFailure(cause)) throw cause
      if (this.failure !== undefined) throw this.failure
      const code = cause.code === errno.EBADF ? 'ERR_CLOSED' : 'ERR_MAP'
      throw RpmemError.wrap(code, 'the kernel does not say which pages changed', systemError(cause), {
        errno: cause.code,
      })
    }
  }
}
