import { alignUp, assert, count64le, GiB, MiB, pageSize, RpmemError } from '../core/index.js'
import { type HeapFinding, type HeapStatistics, leastHeapSize, NativeArenaMemory } from '../fabric-native/index.js'
import { Stamp, Windows } from '../vmem/index.js'
import { Arena } from './arena.js'
import { arenaForeign } from './arena-error.js'
import type { ArenaOptions, CheckpointOptions } from './arena-options.js'
import type { CheckpointReceipt, CheckpointUnderWay } from './checkpoint-receipt.js'
import { GrowingHeap, product } from './growing-heap.js'
import {
  brokenManagedRule,
  heapAt,
  managedHeaderLayout,
  managedMagic,
  managedVersion,
  rootCount,
  rootsAt,
} from './managed-header.js'
import type { ArenaReplicationOptions } from './replication.js'

/**
 * Managed mode of LPSM (lpsm(7)): a heap in an arena, and 32 roots from which a program finds its way to what it had allocated.
 * After a crash blocks, roots and heap are as they were at one checkpoint, together.
 *
 * Blocks come in two forms, as in Vmem: Buffers over the memory, and offsets from the begin of the heap for what is kept in the
 * arena itself; 0 is never the offset of a block. When the heap is full the arena is extended. Everything that
 * has to do with checkpoints is `arena`'s, but declare them here: the heap must be settled before.
 *
 * Where `arena.tracking` is `marking`, each checkpoint writes the whole arena: the heap cannot say what it stored.
 */
export class ManagedArena {
  readonly arena: Arena
  readonly #memory: NativeArenaMemory
  readonly #heap: GrowingHeap
  readonly #windows: Windows

  protected constructor(arena: Arena, memory: NativeArenaMemory, capacity: number, existing: boolean) {
    this.arena = arena
    this.#memory = memory
    this.#windows = new Windows(memory.memory)
    this.#heap = new GrowingHeap(arena, capacity, existing, () => this.#windows.renew())
  }

  /**
   * Opens a managed arena at its newest checkpoint, or makes it. Source: lpsm_init.
   * @param options as of `Arena.open`. `size`: at least 1 MiB and a page, the default is 64 MiB. `maxSize`: when the arena is made,
   * up to where it can ever grow, a 500th of which goes into tables; default eight times the size, at most 16 GiB
   * @throws as `Arena.open`; ERR_ARENA_FOREIGN for an arena that is not managed; ERR_HEAP_SIZE, ERR_HEAP_DAMAGED
   */
  static async open(dataFile: string, logFile: string, options: ArenaOptions = {}): Promise<ManagedArena> {
    const arena = await Arena.open(dataFile, logFile, { size: leastSize, ...options })
    // biome-ignore lint/complexity/noThisInStatic: the class that was called is the one that is made
    return ManagedArena.#within(this, arena, dataFile, options)
  }

  /** A replica of a managed arena, on the machine that keeps it, as an arena in its own right: see `Arena.promote`. */
  static async promote(
    poolSet: string,
    options: Omit<ArenaOptions, keyof ArenaReplicationOptions> = {},
  ): Promise<ManagedArena> {
    const arena = await Arena.promote(poolSet, options)
    // biome-ignore lint/complexity/noThisInStatic: the class that was called is the one that is made
    return ManagedArena.#within(this, arena, poolSet, options)
  }

  static async #within(kind: typeof ManagedArena, arena: Arena, name: string, options: ArenaOptions) {
    try {
      return await ManagedArena.#over(kind, arena, name, options)
    } catch (error) {
      await arena.close()
      throw error
    }
  }

  static async #over(kind: typeof ManagedArena, arena: Arena, name: string, options: ArenaOptions) {
    const { memory } = arena
    assert(memory instanceof NativeArenaMemory, 'the arena lies in mapped memory')
    const page = memory.view(0, pageSize)
    const header = managedHeaderLayout.decode(page)
    const rule = brokenManagedRule(header)
    if (rule === undefined) return new kind(arena, memory, header.capacity, true)
    if (page.some(byte => byte !== 0)) throw arenaForeign(name, `a managed arena: ${rule}`)
    return ManagedArena.#create(kind, arena, memory, options)
  }

  static async #create(kind: typeof ManagedArena, arena: Arena, memory: NativeArenaMemory, options: ArenaOptions) {
    const size = alignUp(options.size ?? defaultSize, pageSize)
    if (size > arena.size) await arena.extend(size)
    const most = options.maxSize ?? Math.max(arena.size, Math.min(8 * arena.size, 16 * GiB))
    const capacity = alignUp(most, pageSize) - heapAt
    const managed = new kind(arena, memory, capacity, false)
    const header = { magic: managedMagic, version: managedVersion, unused: undefined, capacity, more: undefined }
    memory.view(0, pageSize).set(managedHeaderLayout.encode(header))
    await managed.checkpoint()
    return managed
  }

  /** Offset of the block that root `index` (0 … 31) leads to; 0 if it leads nowhere, as at first. Source: lpsm_init. */
  root(index: number): number {
    return count64le.read(this.#roots(), rootAt(index))
  }

  /** The next checkpoint takes it along. @param offset of a block, or any number up to 2^53 - 1 */
  setRoot(index: number, offset: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw new RpmemError('ERR_ARGUMENT', 'a root is an offset, an integer from 0 to 2^53 - 1')
    count64le.write(this.#roots(), rootAt(index), offset)
  }

  // Buffers

  /**
   * A Buffer of `size` bytes over the arena's memory, uninitialised. It keeps its memory until `free`, however long it is forgotten.
   * At most 2^32 - 1 bytes. Source: lpsm_malloc.
   * @throws ERR_HEAP_EXHAUSTED; ERR_DISK_FULL: the arena could not be extended
   */
  malloc(size: number): Buffer {
    return this.#handOut(this.mallocOffset(size), size)
  }

  /** As malloc, filled with zeros. Source: lpsm_zalloc. */
  zalloc(size: number): Buffer {
    return this.#handOut(this.zallocOffset(size), size)
  }

  /** `count` × `size` bytes of zeros. Source: lpsm_calloc. */
  calloc(count: number, size: number): Buffer {
    return this.zalloc(product(count, size))
  }

  /**
   * A Buffer with the same content up to the smaller size, in the same place if that is possible; the one that was given is then
   * freed. Null instead of a Buffer allocates; size 0 frees and returns null. If it throws, the old block is untouched.
   * Source: lpsm_realloc.
   */
  realloc(buffer: Uint8Array | null, size: number): Buffer | null {
    if (buffer === null) return this.malloc(size)
    const moved = this.reallocOffset(this.offsetOf(buffer), size)
    Stamp.clear(buffer)
    return moved === 0 ? null : this.#handOut(moved, size)
  }

  /** Frees what malloc and its kin returned; null is nothing. Source: lpsm_free. @throws ERR_HEAP_POINTER, ERR_HEAP_FREED */
  free(buffer: Uint8Array | null): void {
    if (buffer === null) return
    this.freeOffset(this.offsetOf(buffer))
    Stamp.clear(buffer)
  }

  /** Where a Buffer of malloc and its kin lies, for a root or for another block. @throws ERR_HEAP_POINTER, ERR_HEAP_FREED */
  offsetOf(buffer: Uint8Array): number {
    const offset = Stamp.read(buffer, this)
    if (offset !== undefined && offset > 0) return offset
    if (this.#heap.closed) throw new RpmemError('ERR_CLOSED', 'the arena was closed')
    if (offset === 0) throw new RpmemError('ERR_HEAP_FREED', 'the Buffer was freed before')
    throw new RpmemError('ERR_HEAP_POINTER', 'the Buffer was not handed out by this arena')
  }

  // Offsets

  /** As malloc. Above 2^32 - 1 bytes this is the only form. */
  mallocOffset(size: number): number {
    return this.#heap.malloc(size)
  }

  zallocOffset(size: number): number {
    return this.#heap.calloc(size)
  }

  callocOffset(count: number, size: number): number {
    return this.#heap.calloc(product(count, size))
  }

  /** 0 for a new block; size 0 frees and returns 0. */
  reallocOffset(offset: number, size: number): number {
    if (size !== 0 || offset === 0) return this.#heap.realloc(offset, size)
    this.#heap.free(offset)
    return 0
  }

  /** 0 is nothing. @throws ERR_HEAP_POINTER, ERR_HEAP_FREED, and then nothing was changed */
  freeOffset(offset: number): void {
    if (offset !== 0) this.#heap.free(offset)
  }

  usableSizeAt(offset: number): number {
    return this.#heap.usableSize(offset)
  }

  /** The whole block that begins at an offset, or `length` bytes from anywhere in the heap, without a copy. Not for `free`. */
  view(offset: number, length: number = this.usableSizeAt(offset)): Buffer {
    if (this.#heap.closed) throw new RpmemError('ERR_CLOSED', 'the arena was closed')
    const counts = [offset, length].every(number => Number.isSafeInteger(number) && number >= 0)
    if (counts && heapAt + offset + length <= this.arena.size) return this.#windows.buffer(heapAt + offset, length)
    throw new RpmemError('ERR_RANGE', `${length} bytes at ${offset} are not inside the heap`, {
      facts: { offset, length, size: this.#heap.size },
    })
  }

  // The heap

  /** Looks at the whole heap and changes nothing: at most 100 places where it is not in order. */
  check(): { readonly consistent: boolean; readonly findings: readonly HeapFinding[] } {
    const findings = this.#heap.check()
    return { consistent: findings.length === 0, findings }
  }

  /** Exact at the moment of the call. Source: lpsm_alloc_stats. */
  allocStats(): HeapStatistics {
    return this.#heap.statistics()
  }

  // Checkpoints

  /** As `Arena.checkpoint`. Source: lpsm_checkpoint. */
  checkpoint(options: CheckpointOptions & { readonly wait: 'async' }): Promise<CheckpointUnderWay>
  checkpoint(options?: CheckpointOptions & { readonly wait?: 'sync' }): Promise<CheckpointReceipt>
  async checkpoint(
    options: CheckpointOptions & { readonly wait?: 'sync' | 'async' } = {},
  ): Promise<CheckpointReceipt | CheckpointUnderWay> {
    this.#settle()
    return this.arena.checkpoint(options as CheckpointOptions)
  }

  /** As `Arena.checkpointSync`. */
  checkpointSync(options: CheckpointOptions = {}): CheckpointReceipt {
    this.#settle()
    return this.arena.checkpointSync(options)
  }

  /**
   * As `Arena.restore`: blocks and roots are what they were at that checkpoint. Nothing can be allocated before it has resolved;
   * Buffers from before show what lies there now.
   */
  restore(sequence: number): Promise<CheckpointReceipt> {
    return this.#heap.reopenAfter(() => this.arena.restore(sequence))
  }

  /** As `Arena.close`: what has changed since the last checkpoint is dropped. Idempotent. Source: lpsm_shutdown. */
  async close(): Promise<void> {
    this.#heap.close()
    await this.arena.close()
  }

  /** `close` by its name in LPSM. */
  shutdown(): Promise<void> {
    return this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #settle(): void {
    this.#heap.settle()
    if (this.arena.tracking === 'marking') this.arena.mark(0, this.arena.size)
  }

  #roots(): DataView {
    const { buffer, byteOffset } = this.#memory.view(0, pageSize)
    return new DataView(buffer, byteOffset, pageSize)
  }

  #handOut(offset: number, size: number): Buffer {
    try {
      const buffer = this.#windows.buffer(heapAt + offset, size)
      Stamp.put(buffer, this, offset)
      return buffer
    } catch (error) {
      this.#heap.free(offset)
      throw error
    }
  }
}

const leastSize = heapAt + leastHeapSize
const defaultSize = 64 * MiB

function rootAt(index: number): number {
  if (Number.isInteger(index) && index >= 0 && index < rootCount) return rootsAt + 8 * index
  throw new RpmemError('ERR_ARGUMENT', `a root is a number from 0 to ${rootCount - 1}`, {
    facts: { index: String(index) },
  })
}
