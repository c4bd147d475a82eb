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
  const total = records.reduce((sum, { pages }) => sum + pages.length, 0)
  // Page and age as one number below 2^53 (a log of 8 GiB may hold pages of 16 TiB): sorting numbers is what an engine does best.
  const keys = new Float64Array(total)
  const allPlaces = new Float64Array(total)
  const allSums = new Uint32Array(total)
  let age = 0
  for (const { pages, sums, imagesAt } of records) {
    allSums.set(sums.subarray(0, pages.length), age)
    for (let index = 0; index < pages.length; index++, age++) {
      keys[age] = (pages[index] as number) * total + age
      allPlaces[age] = imagesAt + index * pageSize
    }
  }
  keys.sort()
  const pageAt = (at: number): number => Math.floor((keys[at] as number) / total)
  const newest = keys.filter((_, at) => at + 1 === total || pageAt(at) !== pageAt(at + 1))
  return {
    pages: Uint32Array.from(newest, key => Math.floor(key / total)),
    places: Float64Array.from(newest, key => allPlaces[key % total] as number),
    sums: Uint32Array.from(newest, key => allSums[key % total] as number),
  }
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
