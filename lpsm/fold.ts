import { KiB, MiB, pageSize } from '../core/index.js'
import { type ArenaFile, allocate } from './arena-file.js'
import type { ArenaLog } from './arena-log.js'
import { zeroSum } from './checksum.js'
import { writeDataHeader } from './data-file.js'
import { contentAt, type DataHeader } from './data-header.js'
import type { LogRecord } from './log-reading.js'
import type { RecordContent } from './log-record.js'
import { brief, type Work } from './operation.js'
import { extentOf, type ImageRun, imageRuns, newestImages } from './page-images.js'

export interface FoldRequest {
  readonly data: ArenaFile
  readonly log: ArenaFile
  readonly header: DataHeader
  readonly base: LogRecord
  /** Those after the base that the data file is to take in, at least one, in their order. */
  readonly checkpoints: readonly LogRecord[]
  readonly onProgress?: (doneBytes: number, wholeBytes: number) => void
  /** True if the work is not to be ended. */
  readonly stopped?: () => boolean
}

export interface Folded {
  readonly header: DataHeader
  /** Undefined if the work was stopped. */
  readonly base: RecordContent | undefined
}

/**
 * Brings the data file to the last of some checkpoints. The header says so first, because from the first page on the checkpoints
 * before it cannot be had; the log holds all that is needed to begin anew until `moveBase` has ended.
 */
export function* foldPages(request: FoldRequest, onHeader?: (header: DataHeader) => void): Work<Folded> {
  const { data, log, base, checkpoints, onProgress, stopped } = request
  const target = checkpoints.at(-1) ?? base
  const { sequence, timeMs, size } = target
  const header = yield* writeDataHeader(data, request.header, { base: sequence, baseTimeMs: timeMs, size })
  onHeader?.(header)
  yield* allocate(data, contentAt + size)
  const images = newestImages(checkpoints)
  let doneBytes = 0
  for (const runs of inSteps(imageRuns(images, stepPages))) {
    if (stopped?.()) return { header, base: undefined }
    yield brief(data.copy(log, runs.map(extentOf)))
    doneBytes += pagesOf(runs) * pageSize
    onProgress?.(doneBytes, images.pages.length * pageSize)
  }
  yield data.sync()
  const sums = new Uint32Array(size / pageSize).fill(zeroSum())
  sums.set(base.sums)
  for (const [index, page] of images.pages.entries()) sums[page] = images.sums[index] as number
  return { header, base: { kind: 'base', sequence, timeMs, size, pages: new Uint32Array(0), sums } }
}

/** Says in the log what the data file holds now, and gives free what it needs no more. The record of the new base. */
export function* moveBase(log: ArenaLog, base: RecordContent): Work<LogRecord> {
  const draft = yield* log.draft(base)
  yield log.write(draft, [])
  log.accept(draft)
  const needed = ({ kind, sequence }: LogRecord): boolean => kind === 'checkpoint' && sequence > base.sequence
  yield* log.beginWith(log.records.find(needed) ?? draft.record)
  return draft.record
}

/** Bytes that are copied in one step. */
const stepPages = MiB / (4 * KiB)

function* inSteps(runs: readonly ImageRun[]): Generator<ImageRun[]> {
  let step: ImageRun[] = []
  for (const run of runs) {
    if (step.length > 0 && pagesOf(step) + run.count > stepPages) {
      yield step
      step = []
    }
    step.push(run)
  }
  if (step.length > 0) yield step
}

const pagesOf = (runs: readonly ImageRun[]): number => runs.reduce((sum, { count }) => sum + count, 0)
