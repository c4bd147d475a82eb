import type { PageRuns } from './page-runs.js'

/**
 * The seam of tracked memory: a private image of a data file, which never writes to that file, and which knows the pages that
 * changed. The native implementation maps the file and asks the kernel; the simulation keeps and compares bytes.
 */

/**
 * How changed pages are found, the cheapest first. Every store is found by the first two, native code's and the kernel's too.
 *
 * | tracking | mechanism |
 * | --- | --- |
 * | write-protect | asynchronous write protection by userfaultfd(2), collected with PAGEMAP_SCAN: Linux 6.7 |
 * | private-mapping | pages that are private by /proc/self/pagemap, compared with the image that was last taken |
 * | marking | `mark` alone: a page that nobody marked has not changed |
 */
export type Tracking = 'write-protect' | 'private-mapping' | 'marking'

/** In order of preference; what comes after the one that was chosen was not tried. */
export const trackings = ['write-protect', 'private-mapping', 'marking'] as const satisfies readonly Tracking[]

export interface TrackingReason {
  readonly tracking: Tracking
  readonly chosen: boolean
  /** A phrase, such as 'the kernel lacks PAGEMAP_SCAN (ENOTTY)'. */
  readonly why: string
}

export interface ArenaMemory {
  /** Bytes, a multiple of 4096; grows with `extend`. */
  readonly size: number
  readonly tracking: Tracking
  readonly trackingReasons: readonly TrackingReason[]
  readonly closed: boolean
  /** Set once a page could not be read or written (SIGBUS); every later operation throws it again. */
  readonly failure: Error | undefined

  /**
   * A window over the memory, no copy. Untransferable; detached by close(). At most 2^32 - 1 bytes.
   * @throws ERR_RANGE, ERR_ARGUMENT, ERR_CLOSED, ERR_POOL_TRUNCATED, as all others here do
   */
  view(offset: number, length: number): Uint8Array

  /** The pages of this range count as changed: all that tracking by marking has, and a way back after a commit that failed. */
  mark(offset: number, length: number): void

  /**
   * The pages that changed since the last take, or since the memory was opened: ascending, never adjacent. A page can stand
   * here without having changed, never the other way round.
   */
  peekDirty(): PageRuns

  /**
   * As `peekDirty`, and makes these pages clean in the same step: a store by another thread during the call is found by this
   * take or by the next one.
   */
  takeDirty(): PageRuns

  /**
   * A copy of the pages, in the order of the runs, one image of 4096 bytes behind the other.
   * @param into where it may be put, if that is large enough: new memory costs more than the copy
   */
  copyPages(runs: PageRuns, into?: Buffer): Buffer

  /**
   * Puts images, a multiple of 4096 bytes, in the place of the pages from `page` on. They count as clean: for recovery, before
   * anybody else works on the memory.
   */
  load(page: number, images: Uint8Array): void

  /**
   * Grows to `size` bytes, a multiple of 4096 within the reservation; the data file must have that size already. The new pages
   * are clean, views stay as they are. A size that it has already changes nothing.
   * @throws ERR_MAP: no room is left, or less than the present size
   */
  extend(size: number): void

  /** Detaches every view and forgets what was not written elsewhere. Idempotent. */
  close(): void
}
