import { pageSize } from '../core/index.js'
import type { Extent } from './arena-file.js'
import { contentAt } from './data-header.js'
import type { LogRecord } from './log-reading.js'

/** The newest image of each page that some records hold. */
export interface PageImages {
  /** Ascending. */
  readonly pages: Uint32Array
  /** Offset of the image of each in the log. */
  readonly places: Float64Array
  readonly sums: Uint32Array
}

/** @param records in the order of their checkpoints */
export function newestImages(records: readonly LogRecord[]): PageImages {
  const newest = new Map<number, readonly [record: LogRecord, index: number]>()
  for (const record of records) {
    for (const [index, page] of record.pages.entries()) newest.set(page, [record, index])
  }
  const pages = Uint32Array.from(newest.keys()).sort()
  const places = new Float64Array(pages.length)
  const sums = new Uint32Array(pages.length)
  for (const [at, page] of pages.entries()) {
    const [record, index] = newest.get(page) as readonly [LogRecord, number]
    places[at] = record.imagesAt + index * pageSize
    sums[at] = record.sums[index] as number
  }
  return { pages, places, sums }
}

/** A stretch of pages whose images lie one behind the other in the log. */
export interface ImageRun {
  readonly page: number
  readonly count: number
  readonly place: number
}

/** @param most pages of a run */
export function imageRuns({ pages, places }: PageImages, most: number): ImageRun[] {
  const runs: { page: number; count: number; place: number }[] = []
  for (const [index, page] of pages.entries()) {
    const place = places[index] as number
    const last = runs.at(-1)
    const follows = last && last.page + last.count === page && last.place + last.count * pageSize === place
    if (follows && last.count < most) last.count++
    else runs.push({ page, count: 1, place })
  }
  return runs
}

/** The way of a run into the data file. */
export const extentOf = ({ page, count, place }: ImageRun): Extent => ({
  from: place,
  to: contentAt + page * pageSize,
  length: count * pageSize,
})
