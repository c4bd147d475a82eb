import type { MemoryHandle } from './memory-binding.js'

/** What a frequent call leaves in the result register instead of an offset; the table Status in src/heap.h. */
export const heapStatus = {
  done: 0,
  exhausted: -1,
  notABlock: -2,
  notInUse: -3,
  closed: -4,
  wrongArgument: -5,
} as const

/** Places in the registers, the struct HeapRegisters in src/heap-handle.h: as doubles, and as signed words of 32 bits. */
export const register = { first: 0, second: 1, result: 2 } as const
export const shortRegister = { seat: 6, first: 7, result: 8 } as const

/** The short result that sends to the other one. */
export const longResult = -(2 ** 31)

export interface HeapFinding {
  /** From the begin of the region. */
  readonly offset: number
  readonly what: string
}

export interface HeapClassStatistics {
  /** Of a block, bytes. */
  readonly size: number
  readonly runs: number
  readonly runBytes: number
  readonly allocated: number
  readonly freed: number
  readonly live: number
}

/** Exact at the moment of the call. `free` includes `cached` and `holes`; bytes. */
export interface HeapStatistics {
  readonly size: number
  readonly metadata: number
  readonly free: number
  /** Given back to the file system. */
  readonly holes: number
  /** Freed large blocks that threads keep for the next of their size. */
  readonly cached: number
  readonly largestFree: number
  /** Threads that have the heap open. */
  readonly threads: number
  readonly large: { readonly allocated: number; readonly freed: number; readonly live: number; readonly bytes: number }
  /** By ascending size. */
  readonly classes: readonly HeapClassStatistics[]
}

/** A heap as one thread has it, with the functions that are called rarely. */
export interface HeapFace {
  /** Its place at the desk of the thread, for the frequent functions. */
  readonly seat: number
  /** `skew`: distance of the region's first byte from a multiple of 4 MiB. */
  describe(): { size: number; capacity: number; metadata: number; skew: number }
  check(): HeapFinding[]
  statistics(): HeapStatistics
  quiesce(): void
  /** Bytes given back. */
  purge(): number
  grow(size: number): void
  share(token: string): void
  closed(): boolean
  close(): void
}

export interface HeapPlace {
  readonly memory: MemoryHandle
  readonly offset: number
  readonly size: number
  readonly capacity: number
  readonly zeroed: boolean
  readonly existing: boolean
  readonly key: bigint
  /** Whether holes may be punched into `fd`, the file that the memory maps from its begin on. */
  readonly punching: boolean
  readonly fd: number
}

export interface HeapBinding {
  openHeap(place: HeapPlace): HeapFace
  attachHeap(token: string): HeapFace

  /**
   * The registers of this thread: the frequent functions take the heap's seat and their arguments from there and
   * leave their result there, because handing numbers over through Node-API costs more than they do.
   */
  heapRegisters(): ArrayBuffer
  heapMalloc(): void
  /** The same for a size below 2^31. */
  heapMallocShort(): void
  heapCalloc(): void
  heapRealloc(): void
  heapAlignedAlloc(): void
  heapFree(): void
  heapFreeShort(): void
  heapUsableSize(): void
  /** Does nothing: what a call costs. */
  heapNothing(): void
}
