import { loadImages } from './arena-content.js'
import { checkpointUnknown } from './arena-error.js'
import type { ArenaFile } from './arena-file.js'
import { ArenaLog } from './arena-log.js'
import { closeFiles, damageOf, examine, openFiles, readWhole, wholeCheckpoints } from './arena-opening.js'
import type { ArenaPorts } from './arena-ports.js'
import { type ArenaReading, needsLog, newestOf, openable } from './arena-reading.js'
import { ArenaSnapshot } from './arena-snapshot.js'
import type { Checkpoint } from './checkpoint-receipt.js'
import { writeDataHeader } from './data-file.js'
import { dataFlags } from './data-header.js'
import type { ArenaDamage } from './finding.js'
import { foldPages } from './fold.js'
import type { LogRecord } from './log-reading.js'
import type { Work } from './operation.js'

export interface ArenaProgress {
  readonly doneBytes: number
  readonly wholeBytes: number
}

export interface RecoverOptions {
  /** Go back to this checkpoint; those after it are lost. Default: the newest, which must be whole. */
  readonly at?: number
  readonly onProgress?: (progress: ArenaProgress) => void
}

export interface Recovery {
  /** The checkpoint that the data file is at. */
  readonly sequence: number
  /** Pages that were brought from the log into the data file. */
  readonly pages: number
  /** Bytes of the log file before and after. */
  readonly logSizeBefore: number
  readonly logSize: number
}

interface Pair {
  readonly data: ArenaFile
  readonly log: ArenaFile
}

/** Brings the data file to a checkpoint and the log to its least size. It can be interrupted anywhere and repeated. */
export function* recoverFiles(files: Pair, ports: ArenaPorts, { at, onProgress }: RecoverOptions): Work<Recovery> {
  const { data, log } = files
  const logSizeBefore = log.size
  const reading = yield* at === undefined ? readWhole(files, true) : readUpTo(files, at)
  const target = newestOf(reading)
  const records = new ArenaLog(log, reading.log, 0)
  yield* records.reopen()
  const folding = { data, log, header: reading.data, base: reading.base, checkpoints: reading.checkpoints }
  const progress = onProgress && ((doneBytes: number, wholeBytes: number) => onProgress({ doneBytes, wholeBytes }))
  const folded = yield* foldPages({ ...folding, ...(progress && { onProgress: progress }) })
  const base = folded.base ?? reading.base
  yield* records.restart(base, ports.randomLog)
  if (needsLog(folded.header)) {
    yield* writeDataHeader(data, folded.header, { flags: folded.header.flags & ~dataFlags.needsLog })
  }
  const pages = new Set(reading.checkpoints.flatMap(({ pages }) => [...pages])).size
  return { sequence: target.sequence, pages, logSizeBefore, logSize: log.size }
}

/** As if nothing had been written after a checkpoint. @throws ERR_CHECKPOINT_UNKNOWN, also if it is not whole */
function* readUpTo(files: Pair, sequence: number): Work<ArenaReading> {
  const { reading } = yield* examine(files, 0)
  const whole = yield* wholeCheckpoints(files, reading)
  if (!reading || !whole.includes(sequence)) throw checkpointUnknown(sequence, whole)
  return { ...reading, checkpoints: reading.checkpoints.filter(record => record.sequence <= sequence) }
}

export function* recoverArena(
  dataPath: string,
  logPath: string,
  ports: ArenaPorts,
  options: RecoverOptions,
): Work<Recovery> {
  const files = yield* openFiles(dataPath, logPath, ports)
  try {
    return yield* recoverFiles(files, ports, options)
  } finally {
    closeFiles(files)
  }
}

export interface CheckOptions {
  /** Compare the data file with its checksums; default true. */
  readonly verify?: boolean
  readonly onProgress?: (progress: ArenaProgress) => void
}

/** What is to be known of an arena that is not open. */
export interface ArenaReport {
  /** 16 bytes in hexadecimal, made with the arena. */
  readonly id: string | undefined
  readonly createdMs: number | undefined
  /** Bytes of the arena at its newest checkpoint. */
  readonly size: number | undefined
  readonly dataSize: number
  readonly logSize: number
  /** Bytes of the log that are in use. */
  readonly logBytes: number
  /** Whether the log ends where its last user has closed it. */
  readonly closed: boolean
  /** Those in the files, oldest first. */
  readonly checkpoints: readonly Checkpoint[]
  readonly damage: ArenaDamage | undefined
}

export function* checkArena(
  dataPath: string,
  logPath: string,
  ports: ArenaPorts,
  { verify = true, onProgress }: CheckOptions,
): Work<ArenaReport> {
  const files = yield* openFiles(dataPath, logPath, ports, { writable: false })
  try {
    const progress = (doneBytes: number, wholeBytes: number) => onProgress?.({ doneBytes, wholeBytes })
    const { findings, reading } = yield* examine(files, verify ? Number.MAX_SAFE_INTEGER : 0, progress)
    const damage = findings.count > 0 ? damageOf(findings, yield* wholeCheckpoints(files, reading)) : undefined
    return { ...summary(reading), dataSize: files.data.size, logSize: files.log.size, damage }
  } finally {
    closeFiles(files)
  }
}

function summary(reading: ArenaReading | undefined): Omit<ArenaReport, 'dataSize' | 'logSize' | 'damage'> {
  if (!reading)
    return { id: undefined, createdMs: undefined, size: undefined, logBytes: 0, closed: false, checkpoints: [] }
  const { data, log } = reading
  return {
    id: Buffer.from(data.arena).toString('hex'),
    createdMs: data.createdMs,
    size: newestOf(reading).size,
    logBytes: log.records.reduce((sum, { length }) => sum + length, 0),
    closed: log.header.flags !== 0,
    checkpoints: openable(reading).map(checkpointOf),
  }
}

export const checkpointOf = ({ kind, sequence, timeMs, size, pages }: LogRecord): Checkpoint => ({
  sequence,
  timeMs,
  size,
  pages: kind === 'base' ? undefined : pages.length,
})

/** A checkpoint of an arena that is not open, which must be whole; nothing is written to the files. */
export function* openPast(
  dataPath: string,
  logPath: string,
  ports: ArenaPorts,
  sequence: number | undefined,
): Work<ArenaSnapshot> {
  const files = yield* openFiles(dataPath, logPath, ports, { writable: false })
  try {
    const reading = yield* sequence === undefined ? readWhole(files, true) : readUpTo(files, sequence)
    const record = newestOf(reading)
    const shape = { size: record.size, reservation: record.size, tracking: 'marking' as const }
    const memory = ports.map(files.data, shape)
    const snapshot = new ArenaSnapshot(record, memory, () => closeFiles(files))
    yield* loadImages(memory, files.log, reading.checkpoints)
    return snapshot
  } catch (error) {
    closeFiles(files)
    throw error
  }
}
