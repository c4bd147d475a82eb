import { RpmemError } from '../core/index.js'

/** Pairs of first page and count of pages, both at least 0 and below 2^32. A page is 4096 bytes, the first of a memory is page 0. */
export type PageRuns = Uint32Array

/** How many pages the runs name; a page that stands in two of them counts twice. */
export function countPages(runs: PageRuns): number {
  let pages = 0
  for (let at = 1; at < runs.length; at += 2) pages += runs[at] as number
  return pages
}

/** The runs as pairs, for loops in which an allocation does not matter. */
export function* eachRun(runs: PageRuns): Generator<readonly [first: number, count: number]> {
  for (let at = 0; at < runs.length; at += 2) yield [runs[at] as number, runs[at + 1] as number]
}

/** The runs of the pages for which `holds` is true, ascending and never adjacent. */
export function runsWhere(pageCount: number, holds: (page: number) => boolean): PageRuns {
  const runs: number[] = []
  for (let page = 0; page < pageCount; page++) {
    if (!holds(page)) continue
    const first = page
    while (page + 1 < pageCount && holds(page + 1)) page++
    runs.push(first, page + 1 - first)
  }
  return Uint32Array.from(runs)
}

/** @throws ERR_ARGUMENT if these are no pairs, ERR_RANGE if they leave a memory of `pageCount` pages */
export function requireRuns(runs: PageRuns, pageCount: number): void {
  if (!(runs instanceof Uint32Array) || runs.length % 2 !== 0)
    throw new RpmemError('ERR_ARGUMENT', 'page runs must be a Uint32Array of pairs')
  for (const [first, count] of eachRun(runs)) {
    if (first + count > pageCount)
      throw new RpmemError('ERR_RANGE', `${count} pages from page ${first} on leave a memory of ${pageCount} pages`, {
        facts: { first, count, pageCount },
      })
  }
}

/** The begin of a buffer that is there, or a new one. */
export const roomFor = (length: number, there: Buffer | undefined): Buffer =>
  there !== undefined && there.length >= length ? there.subarray(0, length) : Buffer.allocUnsafe(length)
