import { randomBytes } from 'node:crypto'
import { RpmemError } from '../core/index.js'
import { createFile, openFile, requirePaths } from './arena-files.js'
import type { ArenaPorts } from './arena-ports.js'
import {
  type ArenaReading,
  type Examination,
  needsLog,
  newestOf,
  openable,
  readArena,
  readData,
  verifyContent,
} from './arena-reading.js'
import { baseFromContent } from './data-file.js'
import { contentAt } from './data-header.js'
import { type ArenaDamage, ArenaDamagedError, Findings } from './finding.js'
import type { NativeArenaFile } from './native-arena-file.js'
import { fillData, fillLog, newDataHeader, zeroBase } from './new-arena.js'
import type { Work } from './operation.js'

/** The two files of an arena, open and locked. */
export interface OpenFiles {
  readonly data: NativeArenaFile
  readonly log: NativeArenaFile
}

export function closeFiles({ data, log }: OpenFiles): void {
  log.close()
  data.close()
}

export interface OpeningOptions {
  /** Bytes; without them no data file is made. */
  readonly size?: number | undefined
  /** Whether a log that is not needed is made; default true. */
  readonly writable?: boolean
}

/**
 * Opens both files, and makes what is missing.
 * @throws ERR_ARENA_BUSY, ERR_ARENA_MISSING, ERR_ARENA_FOREIGN, ERR_ARENA_DAMAGED, ERR_ARENA_IO, ERR_DISK_FULL
 */
export function* openFiles(
  dataPath: string,
  logPath: string,
  ports: ArenaPorts,
  { size, writable = true }: OpeningOptions = {},
): Work<OpenFiles> {
  requirePaths(dataPath, logPath)
  let log: NativeArenaFile | undefined
  let data = openFile(dataPath)
  try {
    log = openFile(logPath)
    if (data && log) return { data, log }
    if (log) throw missing(dataPath, 'the log alone does not hold the arena')
    data ??= yield* newData(dataPath, size, ports)
    if (!writable) throw missing(logPath, 'to make a new one, open or recover the arena')
    return { data, log: yield* newLog(logPath, data, ports) }
  } catch (error) {
    log?.close()
    data?.close()
    throw error
  }
}

function* newData(path: string, size: number | undefined, ports: ArenaPorts): Work<NativeArenaFile> {
  if (size === undefined) throw missing(path, 'there is no arena; to create one, say its size')
  const header = newDataHeader(new Uint8Array(randomBytes(16)), size, ports.now())
  return yield* createFile(path, file => fillData(file, header))
}

/** A data file that is the newest checkpoint needs no log of before. */
function* newLog(path: string, data: NativeArenaFile, ports: ArenaPorts): Work<NativeArenaFile> {
  const findings = new Findings()
  const header = readData(data, findings)
  if (header && data.size < contentAt + header.size) {
    findings.add('data', data.size, contentAt + header.size - data.size, 'the data file ends inside its content')
  }
  if (!header || findings.count > 0) throw damaged(data.path, findings, [])
  if (needsLog(header)) throw missing(path, 'the data file is not up to date without its log')
  const base = header.base === 0 ? zeroBase(header) : yield* baseFromContent(data, header)
  return yield* createFile(path, file => fillLog(file, header.arena, base, ports.randomLog(), ports.logGrowth))
}

/** The files as they are, if the last `keep` checkpoints are as they were written. @throws ERR_ARENA_DAMAGED, ERR_ARENA_FOREIGN */
export function* readWhole(files: ArenaPair, verify: boolean, keep = 1): Work<ArenaReading> {
  const examination = yield* examine(files, verify ? keep : 0)
  const { findings, reading } = examination
  if (reading && findings.count === 0) return reading
  throw damaged(files.data.path, findings, yield* wholeCheckpoints(files, reading))
}

type ArenaPair = { readonly data: Parameters<typeof readArena>[0]; readonly log: Parameters<typeof readArena>[1] }

/** @param keep how many of the newest checkpoints are to be whole; 0: pages of the data file are not compared */
export function* examine(
  files: ArenaPair,
  keep: number,
  onProgress?: (doneBytes: number, wholeBytes: number) => void,
): Work<Examination> {
  const examination = yield* readArena(files.data, files.log)
  const { findings, reading } = examination
  if (!reading || keep === 0) return examination
  const newest = newestOf(reading)
  // The oldest one is whole only if all pages are that the later ones replace.
  const oldest = openable(reading).slice(-keep)[0] ?? newest
  yield* verifyContent(files.data, reading, oldest, findings, onProgress)
  const grew = newest.size > oldest.size
  if (grew && findings.count === 0) yield* verifyContent(files.data, reading, newest, findings)
  return examination
}

/** What a damaged arena still has. */
export function* wholeCheckpoints(files: ArenaPair, reading: ArenaReading | undefined): Work<number[]> {
  const whole: number[] = []
  for (const record of reading ? openable(reading) : []) {
    const findings = new Findings()
    if (reading) yield* verifyContent(files.data, reading, record, findings)
    if (findings.count === 0 && files.data.size >= record.size) whole.push(record.sequence)
  }
  return whole
}

export const damageOf = ({ list, count }: Findings, whole: readonly number[]): ArenaDamage => ({
  findings: list,
  findingCount: count,
  whole,
})

const damaged = (path: string, findings: Findings, whole: readonly number[]): ArenaDamagedError =>
  new ArenaDamagedError(path, damageOf(findings, whole))

const missing = (path: string, why: string): RpmemError =>
  new RpmemError('ERR_ARENA_MISSING', `${path} does not exist: ${why}`, { facts: { path } })
