import { loadBinding } from './binding.js'
import type { NativePending } from './memory-binding.js'
import { isNativeFailure, systemError } from './native-failure.js'

/** A call to the file system that was begun in another thread. Both fail with the system error. */
export interface FilePending {
  readonly done: Promise<void>
  /** Blocks until it has ended. If no thread has begun it yet, it happens here. */
  join(): void
}

/**
 * One call to the file system that has not been made yet: here (`run`) or in a thread of the pool (`start`). What it is given must
 * stay unchanged until it has ended, and the file open.
 */
export interface FileErrand {
  run(): void
  start(): FilePending
}

/** All pieces, one behind the other, by pwritev(2). With `sync`, fdatasync(2) follows. */
export const writePieces = (fd: number, at: number, pieces: readonly Uint8Array[], sync: boolean): FileErrand =>
  errand(start => loadBinding().writePieces(start, fd, at, pieces, sync))

/** Triples of offset in `from`, offset in `to` and length. EIO if `from` ends too early. */
export const copyExtents = (from: number, to: number, extents: Float64Array): FileErrand =>
  errand(start => loadBinding().copyExtents(start, from, to, extents))

/** fdatasync(2), once. */
export const syncFile = (fd: number): FileErrand => errand(start => loadBinding().syncFile(start, fd))

/** posix_fallocate(3) of the first `length` bytes, which may be all there already. */
export const growFile = (fd: number, length: number): FileErrand =>
  errand(start => loadBinding().growFile(start, fd, length))

function errand(call: (start: boolean) => NativePending | undefined): FileErrand {
  return {
    run: () => void asSystemCall(() => call(false)),
    start() {
      const pending = asSystemCall(() => call(true)) as NativePending
      const done = pending.done.catch(error => {
        throw systemError(error)
      })
      // Whoever joins hears of the failure there.
      done.catch(() => {})
      return { done, join: () => asSystemCall(() => pending.join()) }
    },
  }
}

function asSystemCall<Result>(call: () => Result): Result {
  try {
    return call()
  } catch (error) {
    throw isNativeFailure(error) ? systemError(error) : error
  }
}
