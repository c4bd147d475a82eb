import { pageSize, RpmemError } from '../core/index.js'
import { pagesAt } from './arena-content.js'
import type { ArenaFile } from './arena-file.js'
import type { CheckpointChanges } from './checkpoint-sink.js'
import { zeroSum } from './checksum.js'
import type { LogRecord } from './log-reading.js'
import { newestImages } from './page-images.js'

/**
 * What a copy at checkpoint `sequence`, whose pages have these checksums, lacks of the newest checkpoint in the files: nothing but pages
 * that differ. Undefined if it is at that checkpoint.
 * @throws ERR_REPLICA_AHEAD, ERR_REPLICA_DIVERGED
 */
export function lackingOf(
  files: { readonly data: ArenaFile; readonly log: ArenaFile },
  base: LogRecord,
  checkpoints: readonly LogRecord[],
  sequence: number,
  theirs: Uint32Array,
): CheckpointChanges | undefined {
  const newest = checkpoints.at(-1) ?? base
  const ours = sumsAt(base, checkpoints)
  const pages = differing(ours, theirs)
  const { timeMs, size } = newest
  const facts = { here: newest.sequence, there: sequence }
  if (sequence > newest.sequence || theirs.length > ours.length) {
    throw new RpmemError('ERR_REPLICA_AHEAD', `it is at checkpoint ${sequence}, this arena at ${newest.sequence}`, {
      facts,
    })
  }
  if (sequence === newest.sequence) {
    if (pages.length === 0 && theirs.length === ours.length) return undefined
    throw new RpmemError('ERR_REPLICA_DIVERGED', `its checkpoint ${sequence} is another than the one here`, { facts })
  }
  const images = new Uint8Array(pages.length * pageSize)
  let at = 0
  for (const [, image] of pagesAt(files, checkpoints, pages)) {
    images.set(image, at)
    at += pageSize
  }
  const sums = pages.map(page => ours[page] as number)
  return { sequence: newest.sequence, timeMs, size, pages, sums, images }
}

function sumsAt(base: LogRecord, checkpoints: readonly LogRecord[]): Uint32Array {
  const { size } = checkpoints.at(-1) ?? base
  const sums = new Uint32Array(size / pageSize).fill(zeroSum())
  sums.set(base.sums)
  const images = newestImages(checkpoints)
  for (const [index, page] of images.pages.entries()) sums[page] = images.sums[index] as number
  return sums
}

function differing(ours: Uint32Array, theirs: Uint32Array): Uint32Array {
  const pages: number[] = []
  for (const [page, sum] of ours.entries()) if (sum !== (theirs[page] ?? zeroSum())) pages.push(page)
  return Uint32Array.from(pages)
}
