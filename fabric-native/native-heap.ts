import { randomBytes } from 'node:crypto'
import { type ErrorCode, errno, pageSize, RpmemError } from '../core/index.js'
import { loadBinding } from './binding.js'
import { type HeapFace, type HeapFinding, type HeapStatistics, heapStatus, longResult } from './heap-binding.js'
import { type HeapDesk, heapDesk } from './heap-desk.js'
import { isNativeFailure, systemError } from './native-failure.js'
import type { NativeMemory } from './native-memory.js'

/** A constant of this module, unlike an imported one, is one to the compiler of the engine: this stands where it counts. */
const { done } = heapStatus

/** The least region that holds a heap, bytes. */
export const leastHeapSize = 1024 * 1024

/** Proof, good for this process only, that its bearer may use a heap; can be posted to a worker thread. */
export type HeapToken = string

export interface HeapRegion {
  /** Multiple of the page size. Default 0. */
  readonly offset?: number
  /** Default: up to the end of the memory. */
  readonly size?: number
  /**
   * Up to which size `grow` may go; a 500th of it goes into tables. The memory may be extended to it later, within its
   * reservation. Default `size`. Of an `existing` heap not more than it was made with.
   */
  readonly capacity?: number
  /** The region holds nothing but zeros, and so does what `grow` adds. Default false. */
  readonly zeroed?: boolean
  /** Opens the heap that `quiesce` left there instead of making one; `size` may be larger than that of the heap. */
  readonly existing?: boolean
  /** The file that the memory maps from its begin on: freed storage goes back to it. A duplicate is kept. */
  readonly fd?: number
}

/**
 * malloc and its kin in a region of mapped memory (docs/vmem.md, docs/adr/0015-own-heap.md). Blocks are named by their offset
 * from the begin of the region; 0 is never one. One object belongs to one thread; `share` and `attach` bring the heap to others.
 *
 * A heap can outlive its process: after `quiesce` the region holds all that there is to know, as offsets, and nothing of the
 * process (locks, threads, descriptors). An image of the region that was taken before anybody allocated or freed again can be
 * opened with `existing`, at another address, in more memory, any number of times; all blocks are there and `check` finds
 * nothing. Opening reads the tables and writes nothing.
 *
 * Blocks up to 3584 bytes have the alignment of the largest power of two that divides their usable size, larger ones that of
 * pages. What is freed is zeroed up to its first page.
 */
export class NativeHeap {
  readonly #face: HeapFace
  readonly #desk: HeapDesk
  readonly #seat: number

  private constructor(face: HeapFace) {
    this.#face = face
    this.#seat = face.seat
    this.#desk = heapDesk()
  }

  /**
   * A heap in a region of this memory, whose content is lost unless it is `existing`.
   * @throws ERR_HEAP_SIZE, ERR_HEAP_OVERLAP, ERR_HEAP_DAMAGED, ERR_ARGUMENT for a region that does not begin on a page
   */
  static open(memory: NativeMemory, region: HeapRegion = {}): NativeHeap {
    const { offset = 0, size = memory.size - offset, capacity = size, zeroed = false, existing = false, fd } = region
    requireRegion(memory, offset, size, capacity)
    const key = randomBytes(8).readBigUInt64LE()
    const place = { memory: memory.handle, offset, size, capacity, zeroed, existing, key }
    try {
      return new NativeHeap(loadBinding().openHeap({ ...place, punching: fd !== undefined, fd: fd ?? 0 }))
    } catch (cause) {
      if (!isNativeFailure(cause)) throw cause
      const code = refusals[cause.code] ?? 'ERR_ARGUMENT'
      throw RpmemError.wrap(code, cause.message, systemError(cause), { facts: { offset, size, least: leastHeapSize } })
    }
  }

  /** @throws ERR_CLOSED if its owner has closed it meanwhile, or the token was never given out */
  static attach(token: HeapToken): NativeHeap {
    try {
      return new NativeHeap(loadBinding().attachHeap(token))
    } catch (cause) {
      throw RpmemError.wrap('ERR_CLOSED', 'no open heap was shared under this token', systemError(cause))
    }
  }

  /** Offset of a block; `size` 0 is a block too. Source: malloc(3). @throws ERR_HEAP_EXHAUSTED, ERR_ARGUMENT, ERR_CLOSED */
  malloc(size: number): number {
    return this.#allocated(this.#desk.malloc(this.#seat, size), size)
  }

  /** As malloc, filled with zeros. */
  calloc(size: number): number {
    return this.#allocated(this.#desk.calloc(this.#seat, size), size)
  }

  /**
   * Offset of a block with the same content up to the smaller size; the same one where that is possible. `offset` 0 for a new
   * block. If it throws the old block is untouched; a smaller size never throws. Source: realloc(3).
   */
  realloc(offset: number, size: number): number {
    return this.#allocated(this.#desk.realloc(this.#seat, offset, size), size)
  }

  /** `alignment` is a power of two, and the address of the block a multiple of it. Source: aligned_alloc(3). */
  alignedAlloc(alignment: number, size: number): number {
    return this.#allocated(this.#desk.alignedAlloc(this.#seat, alignment, size), size)
  }

  /** @throws ERR_HEAP_POINTER, ERR_HEAP_FREED; then nothing was changed */
  free(offset: number): void {
    const status = this.#desk.free(this.#seat, offset)
    if (status !== done) this.#refuse(status, offset)
  }

  /** Bytes that the block in use at `offset` really has. Source: malloc_usable_size(3). */
  usableSize(offset: number): number {
    return this.#allocated(this.#desk.usableSize(this.#seat, offset), offset)
  }

  /** What is wrong with the heap, at most 100 findings; empty if it is consistent. Changes nothing; other threads wait. */
  check(): HeapFinding[] {
    return this.#rarely(() => this.#face.check())
  }

  statistics(): HeapStatistics {
    return this.#rarely(() => this.#face.statistics())
  }

  /**
   * Moves everything that threads hold for themselves back into the region, which then says all that `existing` needs, until
   * the next call that allocates or frees. Any thread may call it; others go on afterwards as before. Writes only what changes:
   * twice in a row, the second time nothing.
   */
  quiesce(): void {
    this.#rarely(() => this.#face.quiesce())
  }

  /** Gives the storage of free pages back to the file system; returns the bytes. */
  purge(): number {
    return this.#rarely(() => this.#face.purge())
  }

  /**
   * Makes the heap larger in its place while others use it.
   * @throws ERR_HEAP_SIZE beyond the capacity or the end of the memory, or if it is no larger; ERR_DISK_FULL
   */
  grow(size: number): void {
    this.#rarely(() => this.#face.grow(size), { size, most: this.#rarely(() => this.#face.describe()).capacity })
  }

  /** Bytes, header and tables included. */
  get size(): number {
    return this.#rarely(() => this.#face.describe()).size
  }

  /** Distance of the region's first byte from a multiple of 4 MiB, for whoever wants to know how an offset is aligned. */
  get skew(): number {
    return this.#rarely(() => this.#face.describe()).skew
  }

  get closed(): boolean {
    return this.#face.closed()
  }

  share(): HeapToken {
    const token = randomBytes(32).toString('hex')
    this.#rarely(() => this.#face.share(token))
    return token
  }

  /** For all threads, if this is the owner. Idempotent. The memory stays open. */
  close(): void {
    this.#face.close()
  }

  #allocated(result: number, told: number): number {
    if (result > 0) return result
    return result === longResult ? this.#desk.longResult() : this.#refuse(result, told)
  }

  #refuse(status: number, told: number): never {
    switch (status) {
      case heapStatus.exhausted:
        throw new RpmemError('ERR_HEAP_EXHAUSTED', `the heap has no room for ${told} bytes`, { facts: { size: told } })
      case heapStatus.notABlock:
        throw new RpmemError('ERR_HEAP_POINTER', `no block begins at offset ${told}`, { facts: { offset: told } })
      case heapStatus.notInUse:
        throw new RpmemError('ERR_HEAP_FREED', `the block at offset ${told} is not in use`, { facts: { offset: told } })
      case heapStatus.closed:
        throw new RpmemError('ERR_CLOSED', 'the heap was closed')
      default:
        throw notNumbers()
    }
  }

  #rarely<Result>(call: () => Result, facts: Readonly<Record<string, number>> = {}): Result {
    try {
      return call()
    } catch (cause) {
      if (!isNativeFailure(cause)) throw cause
      const code =
        cause.code === errno.EBADF ? 'ERR_CLOSED' : cause.code === errno.EINVAL ? 'ERR_HEAP_SIZE' : 'ERR_DISK_FULL'
      throw RpmemError.wrap(code, cause.message, systemError(cause), { facts, errno: cause.code })
    }
  }
}

/** By errno of openHeap. */
const refusals: Readonly<Record<number, ErrorCode>> = {
  [errno.EINVAL]: 'ERR_HEAP_SIZE',
  [errno.EBUSY]: 'ERR_HEAP_OVERLAP',
  [errno.ENOMEM]: 'ERR_MAP',
  [errno.EILSEQ]: 'ERR_HEAP_DAMAGED',
}

function requireRegion(memory: NativeMemory, offset: number, size: number, capacity: number): void {
  const counts = [offset, size, capacity].every(number => Number.isSafeInteger(number) && number >= 0)
  if (!counts) throw notNumbers()
  if (offset % pageSize !== 0) {
    const message = `the region begins at ${offset}, which is no multiple of the page size`
    throw new RpmemError('ERR_ARGUMENT', message, { facts: { offset, pageSize } })
  }
  if (size > capacity || offset + size > memory.size) {
    const message = `a region of ${size} bytes at ${offset} leaves a memory of ${memory.size} bytes or its capacity`
    throw new RpmemError('ERR_RANGE', message, { facts: { offset, size, capacity, memory: memory.size } })
  }
}

function notNumbers(): RpmemError {
  return new RpmemError(
    'ERR_ARGUMENT',
    'sizes, offsets and alignments are integers from 0 to 2^53 - 1, alignments powers of two',
  )
}
