import { pageSize } from '../core/index.js'
import { type ArenaMemory, eachRun, type PageRuns } from '../fabric-native/index.js'
import type { ArenaFile } from './arena-file.js'
import { contentAt } from './data-header.js'
import type { LogRecord } from './log-reading.js'
import type { Work } from './operation.js'
import { imageRuns, newestImages } from './page-images.js'
import { pause, readingSize } from './pause.js'

/** Puts what the log holds in the place of what the data file holds, and leaves it clean. */
export function* loadImages(memory: ArenaMemory, log: ArenaFile, checkpoints: readonly LogRecord[]): Work {
  for (const { page, count, place } of imageRuns(newestImages(checkpoints), readingSize / pageSize)) {
    const images = new Uint8Array(count * pageSize)
    log.read(place, images)
    memory.load(page, images)
    yield pause
  }
}

/** The pages of the runs, one number each. */
export function pagesOf(runs: PageRuns): Uint32Array {
  const pages: number[] = []
  for (const [first, count] of eachRun(runs)) for (let page = first; page < first + count; page++) pages.push(page)
  return Uint32Array.from(pages)
}

/** Pages as they were at one checkpoint, read from the files. */
export function* pagesAt(
  files: { readonly data: ArenaFile; readonly log: ArenaFile },
  upTo: readonly LogRecord[],
  pages: Iterable<number>,
): Generator<readonly [page: number, image: Uint8Array]> {
  const { pages: inLog, places } = newestImages(upTo)
  const placeOf = new Map(Array.from(inLog, (page, index) => [page, places[index] as number]))
  for (const page of pages) {
    const image = new Uint8Array(pageSize)
    const place = placeOf.get(page)
    if (place === undefined) files.data.read(contentAt + page * pageSize, image)
    else files.log.read(place, image)
    yield [page, image]
  }
}
