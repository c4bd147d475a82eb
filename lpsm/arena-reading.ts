import { alignUp, assert, pageSize } from '../core/index.js'
import { arenaForeign } from './arena-error.js'
import type { ArenaFile } from './arena-file.js'
import { pageSums, zeroSum } from './checksum.js'
import { brokenDataRule, contentAt, type DataHeader, dataFlags, dataHeaderLayout, dataMagic } from './data-header.js'
import { Findings } from './finding.js'
import { logMagic } from './log-header.js'
import { type LogReading, type LogRecord, readLog } from './log-reading.js'
import type { Work } from './operation.js'
import { newestImages } from './page-images.js'
import { pause, readingSize } from './pause.js'
import { readSlots, slotsSize } from './slots.js'

/** What the two files of an arena say. */
export interface ArenaReading {
  readonly data: DataHeader
  readonly log: LogReading
  /** What the data file is made of where no record holds a newer page. */
  readonly base: LogRecord
  /** Those after the base, in their order. */
  readonly checkpoints: readonly LogRecord[]
}

/** A reading, as far as it could be had, and what is wrong with it. */
export interface Examination {
  readonly findings: Findings
  readonly reading: ArenaReading | undefined
}

/** Of a data file alone. Undefined, with a finding, if it cannot be read. */
export function readData(file: ArenaFile, findings: Findings): DataHeader | undefined {
  requireMagic(file, dataMagic, 'the data file of an arena')
  const slots = readSlots(file, dataHeaderLayout, brokenDataRule)
  const slot = slots.find(slot => 'value' in slot)
  if (slot && 'value' in slot) return slot.value
  const why = slots.map(slot => ('broken' in slot ? slot.broken : '')).join('; ')
  findings.add('data', 0, slotsSize, `the header of the data file cannot be read (${why})`)
  return undefined
}

/**
 * Reads both files, without the content of the data file (`verifyContent`).
 * @throws ERR_ARENA_FOREIGN: one of them is no file of an arena, or they are not those of the same one
 */
export function* readArena(dataFile: ArenaFile, logFile: ArenaFile): Work<Examination> {
  const findings = new Findings()
  const data = readData(dataFile, findings)
  requireMagic(logFile, logMagic, 'the log of an arena')
  const log = yield* readLog(logFile, findings)
  if (!data || !log) return { findings, reading: undefined }
  if (!Buffer.from(data.arena).equals(log.header.arena)) throw arenaForeign(logFile.path, 'the log of this arena')
  const base = log.records.findLast(({ kind }) => kind === 'base')
  if (!base) {
    findings.add('log', 0, slotsSize, 'the log does not say what the data file holds')
    return { findings, reading: undefined }
  }
  const checkpoints = log.records.filter(({ kind, sequence }) => kind === 'checkpoint' && sequence > base.sequence)
  const reading = { data, log, base, checkpoints }
  judgeSequences(reading, dataFile, findings)
  return { findings, reading }
}

/** The sequence of the newest checkpoint. */
export const newestOf = ({ base, checkpoints }: ArenaReading): LogRecord => checkpoints.at(-1) ?? base

/** What can be opened: the base, unless it is being overwritten, and the checkpoints after it. */
export const openable = ({ data, base, checkpoints }: ArenaReading): LogRecord[] =>
  [base, ...checkpoints].filter(({ sequence }) => sequence >= data.base)

function judgeSequences(reading: ArenaReading, file: ArenaFile, findings: Findings): void {
  const { data, base, checkpoints } = reading
  const newest = newestOf(reading)
  if (base.sequence > data.base) {
    const what = `the data file is at checkpoint ${data.base}, but its log begins behind ${base.sequence}: it is an older copy`
    findings.add('data', 0, slotsSize, what)
  }
  if (newest.sequence < data.base) {
    const what = `the log ends at checkpoint ${newest.sequence}, but the data file is at ${data.base}: it is an older copy`
    findings.add('log', newest.at, newest.length, what)
  }
  let before = base
  for (const record of checkpoints) {
    if (record.sequence <= before.sequence || record.size < before.size) {
      findings.add('log', record.at, record.length, `checkpoint ${record.sequence} follows ${before.sequence}`)
    }
    before = record
  }
  if (file.size < contentAt + base.size) {
    const what = `the data file has ${file.size} bytes instead of ${contentAt + base.size}`
    findings.add('data', file.size, contentAt + base.size - file.size, what)
  }
}

/**
 * Compares the pages of the data file that no record replaces with their checksums. Pages behind the base, which were never
 * written, must be zeros.
 * @param upTo the checkpoint that is wanted; pages that later records hold are compared too
 */
export function* verifyContent(
  file: ArenaFile,
  { base, checkpoints }: ArenaReading,
  upTo: LogRecord,
  findings: Findings,
  onProgress?: (doneBytes: number, wholeBytes: number) => void,
): Work {
  const covered = newestImages(checkpoints.filter(({ sequence }) => sequence <= upTo.sequence)).pages
  // A file that was cut off may end inside a page.
  const size = Math.min(upTo.size, alignUp(Math.max(0, file.size - contentAt), pageSize))
  let next = 0
  for (let done = 0; done < size; done += readingSize) {
    const chunk = new Uint8Array(Math.min(readingSize, size - done))
    const length = file.read(contentAt + done, chunk)
    const sums = pageSums(length < chunk.length ? chunk.fill(0, length) : chunk)
    for (const [index, sum] of sums.entries()) {
      const page = done / pageSize + index
      if (covered[next] === page) next++
      else if (sum !== (base.sums[page] ?? zeroSum())) {
        findings.add('data', contentAt + page * pageSize, pageSize, `page ${page} does not match its checksum`)
      }
    }
    onProgress?.(done + chunk.length, size)
    if (size > readingSize) yield pause
  }
  assert(next <= covered.length, 'covered pages are passed once')
}

export const needsLog = ({ flags }: DataHeader): boolean => (flags & dataFlags.needsLog) !== 0

function requireMagic(file: ArenaFile, magic: Uint8Array, what: string): void {
  const begins = [0, pageSize].some(at => {
    const found = new Uint8Array(magic.length)
    return file.read(at, found) === magic.length && Buffer.from(magic).equals(found)
  })
  if (!begins) throw arenaForeign(file.path, what)
}
