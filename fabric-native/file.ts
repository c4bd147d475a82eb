import { RpmemError } from '../core/index.js'
import { loadBinding } from './binding.js'
import { systemError } from './native-failure.js'

/** File operations that Node.js lacks. Failures are system errors with `code`, `errno` and `syscall`, as in node:fs. */

/**
 * Gives the file blocks for its first `length` bytes and grows it to that length, off the event loop
 * (posix_fallocate(3)). ENOSPC: the file may have become longer and holds some of the blocks.
 */
export async function allocateFile(fd: number, length: number): Promise<void> {
  try {
    await loadBinding().allocateFile(fd, length)
  } catch (error) {
    throw systemError(error)
  }
}

export function allocateFileSync(fd: number, length: number): void {
  asSystemCall(() => loadBinding().allocateFileSync(fd, length))
}

/**
 * Opens a file without a name in a directory (open(2), O_TMPFILE, mode 0600): nobody else can open it, and its space returns
 * when the last descriptor and mapping are gone, however the process ends.
 */
export function openUnnamedFile(directory: string): number {
  return asSystemCall(() => loadBinding().openUnnamedFile(directory))
}

/**
 * Locks the open file against every other opener, in this process too (flock(2), exclusive, without waiting). False if it is
 * locked already. The lock ends when the last duplicate of the descriptor is closed; a mapping does not keep it.
 */
export function lockFile(fd: number): boolean {
  return asSystemCall(() => loadBinding().lockFile(fd))
}

/** The magic number of statfs(2), and whether such a file system forgets everything with the power (tmpfs, ramfs). */
export function fileSystemKind(fd: number): { magic: number; inMemory: boolean } {
  return asSystemCall(() => loadBinding().fileSystemKind(fd))
}

/**
 * What can be mapped of a file or of a device DAX, whose stat gives no size. Offsets and lengths of pieces must be multiples
 * of `alignment`, bytes.
 */
export function mappableSize(fd: number): { size: number; alignment: number; deviceDax: boolean } {
  return asSystemCall(() => loadBinding().mappableSize(fd))
}

/**
 * How often the memory modules behind the file lost power without having flushed their buffers, and their names in one word; 0 and
 * '' for every other storage. EACCES: only root may read it. Source: pmem2_source_device_usc(3), pmem2_source_device_id(3).
 */
export function unsafeShutdowns(fd: number): { count: bigint; device: string } {
  return asSystemCall(() => loadBinding().unsafeShutdowns(fd))
}

function asSystemCall<Result>(call: () => Result): Result {
  try {
    return call()
  } catch (error) {
    throw error instanceof RpmemError ? error : systemError(error)
  }
}
