import { alignUp, assert, hasCode, MiB, pageSize, RpmemError } from '../core/index.js'
import { type HeapFinding, type HeapStatistics, NativeArenaMemory, NativeHeap } from '../fabric-native/index.js'
import type { Arena } from './arena.js'
import { heapAt } from './managed-header.js'

/** A heap in an arena, which is extended when the heap has no room left. Blocks are named by their offset from its begin. */
export class GrowingHeap {
  readonly #arena: Arena
  readonly #capacity: number
  readonly #onGrown: () => void
  #heap: NativeHeap

  /** @param capacity bytes that the heap was, or is to be, made for; `onGrown` is called behind each extension */
  constructor(arena: Arena, capacity: number, existing: boolean, onGrown: () => void) {
    this.#arena = arena
    this.#capacity = capacity
    this.#onGrown = onGrown
    this.#heap = this.#open(existing)
  }

  get closed(): boolean {
    return this.#heap.closed
  }

  malloc(size: number): number {
    return this.#whileItGrows(size, () => this.#heap.malloc(size))
  }

  calloc(size: number): number {
    return this.#whileItGrows(size, () => this.#heap.calloc(size))
  }

  realloc(offset: number, size: number): number {
    return this.#whileItGrows(size, () => this.#heap.realloc(offset, size))
  }

  free(offset: number): void {
    this.#heap.free(offset)
  }

  usableSize(offset: number): number {
    return this.#heap.usableSize(offset)
  }

  get size(): number {
    return this.#heap.size
  }

  check(): HeapFinding[] {
    return this.#heap.check()
  }

  statistics(): HeapStatistics {
    return this.#heap.statistics()
  }

  /** From now on, until something is allocated or freed, the arena's memory says all that there is to know. */
  settle(): void {
    this.#heap.quiesce()
  }

  /** Runs work that changes the arena's memory under the heap, then opens what is there. */
  async reopenAfter<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#heap.close()
    const result = await work()
    this.#heap = this.#open(true)
    return result
  }

  close(): void {
    this.#heap.close()
  }

  #open(existing: boolean): NativeHeap {
    const { memory } = this.#arena
    assert(memory instanceof NativeArenaMemory, 'the heap lies in mapped memory')
    const size = Math.min(this.#arena.size - heapAt, this.#capacity)
    const heap = NativeHeap.open(memory.memory, {
      offset: heapAt,
      size,
      capacity: this.#capacity,
      zeroed: true,
      existing,
    })
    if (heap.size < size) heap.grow(size)
    return heap
  }

  #whileItGrows(size: number, allocate: () => number): number {
    for (;;) {
      try {
        return allocate()
      } catch (error) {
        if (!hasCode(error, 'ERR_HEAP_EXHAUSTED') || !this.#grow(size)) throw error
      }
    }
  }

  /** By a half or by what is needed, within the capacity; false if nothing is left of it. */
  #grow(needed: number): boolean {
    const { size } = this.#heap
    if (size >= this.#capacity || size + needed > this.#capacity) return false
    const wanted = alignUp(Math.max(size + needed + MiB, size * 1.5), pageSize)
    const grown = Math.min(wanted, this.#capacity)
    this.#arena.extendSync(heapAt + grown)
    this.#heap.grow(grown)
    this.#onGrown()
    return true
  }
}

/** @throws ERR_HEAP_EXHAUSTED if the product is no size, ERR_ARGUMENT */
export function product(count: number, size: number): number {
  for (const number of [count, size]) {
    if (!Number.isSafeInteger(number) || number < 0)
      throw new RpmemError('ERR_ARGUMENT', 'count and size are integers from 0 to 2^53 - 1')
  }
  const bytes = count * size
  if (Number.isSafeInteger(bytes)) return bytes
  const message = `${count} times ${size} bytes are more than any heap has`
  throw new RpmemError('ERR_HEAP_EXHAUSTED', message, { facts: { count, size } })
}
