import { allocationError } from './arena-error.js'
import type { Operation, Work } from './operation.js'

/** A stretch of one file that goes to another; offsets and length in bytes. */
export interface Extent {
  readonly from: number
  readonly to: number
  readonly length: number
}

/**
 * The storage seam of an arena: one of its two files, open and locked. What is written may reach the medium in any order and in
 * pieces until a later `sync` of the same file has ended. Operations fail with system errors, as node:fs does.
 */
export interface ArenaFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Fills `into` from `at` on; the number of bytes that there are. */
  read(at: number, into: Uint8Array): number
  /** The pieces, one behind the other. With `sync`, they and everything before are durable in the end. */
  write(at: number, pieces: readonly Uint8Array[], options?: { readonly sync?: boolean }): Operation
  /** Brings stretches of another file, or of this one, over. */
  copy(source: ArenaFile, extents: readonly Extent[]): Operation
  /** Everything that was written before is durable when it has ended. */
  sync(): Operation
  /** Grows the file to at least `length` bytes, zeros behind what there was, and gives it the space for them. */
  allocate(length: number): Operation
  truncate(length: number): Operation
  /** Idempotent; gives the lock up. */
  close(): void
}

/** Makes sure that the file has `length` bytes. @throws ERR_DISK_FULL: nothing has happened */
export function* allocate(file: ArenaFile, length: number): Work {
  if (file.size >= length) return
  try {
    yield file.allocate(length)
  } catch (error) {
    throw allocationError(file.path, error)
  }
}
