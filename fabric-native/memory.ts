/**
 * The memory seam: what the rooms above may do with mapped memory. The native implementation maps files through libpmem2;
 * the simulation keeps bytes in an ArrayBuffer. Offsets count from the first byte of the mapping, in bytes.
 */

/** How bytes become durable: cache flush + fence, msync, or not at all (tmpfs, anonymous memory). */
export type DurabilityMethod = 'dax' | 'msync' | 'volatile'

/** A piece of a file that takes its place in the contiguous range, in order. The descriptor may be closed afterwards. */
export interface FilePiece {
  readonly fd: number
  /** Multiple of the page size (device DAX: of the device's alignment). */
  readonly offset: number
  /** Multiple of the page size (device DAX: of the device's alignment). */
  readonly length: number
}

export interface CopyOptions {
  /** Leave the range unflushed: the caller flushes or persists it later (PMEMOBJ_F_MEM_NOFLUSH). */
  readonly noFlush?: boolean
  /** Flush, but do not wait: the caller drains later (PMEMOBJ_F_MEM_NODRAIN). */
  readonly noDrain?: boolean
}

export interface Memory {
  readonly size: number
  readonly method: DurabilityMethod
  readonly closed: boolean
  /** Set once a page could not be read, written or made durable; every later operation throws it again. */
  readonly failure: Error | undefined

  /** A window over the memory, no copy. Untransferable; detached by close(). At most 2^32 - 1 bytes. */
  view(offset: number, length: number): Uint8Array
  /** Copies out; never faults the process. */
  read(offset: number, into: Uint8Array): void
  flush(offset: number, length: number): void
  drain(): void
  persist(offset: number, length: number): void
  deepPersist(offset: number, length: number): void
  /** memcpy from foreign memory; 8-byte aligned words are never torn. */
  copyIn(offset: number, source: Uint8Array, options?: CopyOptions): void
  /** memmove inside this memory, overlap allowed. */
  move(to: number, from: number, length: number, options?: CopyOptions): void
  fill(offset: number, byte: number, length: number, options?: CopyOptions): void
  /** Brings the same range of another memory over: local replicas are fed from the master's destination. */
  copyFrom(other: Memory, offset: number, length: number, options?: CopyOptions): void
  close(): void
}
