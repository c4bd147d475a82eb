import type { DurabilityMethod, FilePiece } from './memory.js'

/** A tagged object of the addon: opaque, valid in the thread that made it. */
export interface MemoryHandle {
  readonly __memory: unique symbol
}

/**
 * Outcome of a frequent native call. 0: done. Positive: the errno of a failure that happened now. The negative ones are the
 * table Status in src/memory-operations.cc.
 */
export const status = {
  done: 0,
  notAMemory: -1,
  closed: -2,
  outside: -3,
  notANumber: -4,
  notBytes: -5,
  poisoned: -6,
  truncated: -7,
  sourceFailed: -8,
} as const

/** Bits of the last argument of the copying calls. */
export const copyFlags = { noFlush: 1, noDrain: 2 } as const

/** What an error thrown by the addon carries besides its message; `code` is an errno. */
export interface NativeFailure extends Error {
  readonly code: number
  readonly syscall: string
}

/** The memory part of the addon. Offsets and lengths are bytes; whatever is passed, the process survives. */
export interface MemoryBinding {
  /** `reservation`: 0 for none. `isPrivate`: stores do not reach the files. */
  mapFiles(pieces: readonly FilePiece[], reservation: number, isPrivate: boolean): MemoryHandle
  extendMemory(memory: MemoryHandle, pieces: readonly FilePiece[]): void
  mapAnonymous(size: number): MemoryHandle
  describeMemory(memory: MemoryHandle): { size: number; method: DurabilityMethod }
  /** 0, EIO (made durable in vain) or EFAULT (SIGBUS). */
  memoryFailure(memory: MemoryHandle): number
  memoryClosed(memory: MemoryHandle): boolean
  /** Node.js itself makes external buffers untransferable; what `transfer()` takes away keeps the addresses valid. */
  viewMemory(memory: MemoryHandle, offset: number, length: number): ArrayBuffer
  /** `transfer`: ArrayBuffer.prototype.transfer where there is one. False if the engine refuses. */
  detachView(memory: MemoryHandle, buffer: ArrayBufferLike, transfer?: unknown): boolean
  closeMemory(memory: MemoryHandle, transfer?: unknown): void
  shareMemory(memory: MemoryHandle, token: string): void
  attachMemory(token: string): MemoryHandle

  flush(memory: MemoryHandle, offset: number, length: number): number
  drain(memory: MemoryHandle): number
  persist(memory: MemoryHandle, offset: number, length: number): number
  deepPersist(memory: MemoryHandle, offset: number, length: number): number
  read(memory: MemoryHandle, offset: number, into: Uint8Array): number
  copyIn(memory: MemoryHandle, offset: number, source: Uint8Array, flags: number): number
  move(memory: MemoryHandle, to: number, from: number, length: number, flags: number): number
  fill(memory: MemoryHandle, offset: number, byte: number, length: number, flags: number): number
  copyFrom(memory: MemoryHandle, other: MemoryHandle, offset: number, length: number, flags: number): number
}

/** The part of the addon that follows changed pages; each function throws a NativeFailure. */
export interface TrackingBinding {
  /** `method`: index into `trackings`. */
  trackPages(memory: MemoryHandle, method: number): void
  collectPages(memory: MemoryHandle, take: boolean): Uint32Array
  markPages(memory: MemoryHandle, offset: number, length: number): void
  cleanPages(memory: MemoryHandle, offset: number, length: number): void
  /** `into` has the size of the pages. */
  copyPages(memory: MemoryHandle, runs: Uint32Array, into: Uint8Array): void
}

/** The part of the addon for file operations that Node.js lacks. */
export interface FileBinding {
  allocateFile(fd: number, length: number): Promise<void>
  allocateFileSync(fd: number, length: number): void
  openUnnamedFile(directory: string): number
  lockFile(fd: number): boolean
  fileSystemKind(fd: number): { magic: number; inMemory: boolean }
  unsafeShutdowns(fd: number): { count: bigint; device: string }
  mappableSize(fd: number): { size: number; alignment: number; deviceDax: boolean }
}

/** Work of another thread that this one can still wait for. Both fail with a NativeFailure. */
export interface NativePending {
  readonly done: Promise<void>
  join(): void
}

/**
 * Calls to the file system that can be made here (`start` false: nothing is returned) or in a thread of the pool. What they are
 * given must stay unchanged until they have ended.
 */
export interface ErrandBinding {
  /** pwritev(2), then fdatasync(2) with `sync`. */
  writePieces(
    start: boolean,
    fd: number,
    at: number,
    pieces: readonly Uint8Array[],
    sync: boolean,
  ): NativePending | undefined
  /** Triples of offset in `from`, offset in `to`, length. */
  copyExtents(start: boolean, from: number, to: number, extents: Float64Array): NativePending | undefined
  syncFile(start: boolean, fd: number): NativePending | undefined
  growFile(start: boolean, fd: number, length: number): NativePending | undefined
}

/** CRC-32C. */
export interface ChecksumBinding {
  checksum(bytes: Uint8Array): number
  /** Without the processor's instruction. */
  checksumByTable(bytes: Uint8Array): number
  /** Of each 4096 bytes. */
  pageChecksums(bytes: Uint8Array): Uint32Array
}
