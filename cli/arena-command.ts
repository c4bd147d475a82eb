import { formatBytes, RpmemError } from '../core/index.js'
import { Arena, type ArenaDamage, type ArenaProgress, type ArenaReport, type Checkpoint } from '../lpsm/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'
import { Progress } from './progress.js'

export interface ArenaFlags {
  readonly json?: boolean
}

export interface RecoverFlags extends ArenaFlags {
  /** The checkpoint to go back to. */
  readonly at?: string
}

/** `rpmem arena info DATA LOG`: what the headers and the log say. True if nothing is damaged there. */
export async function printArenaInfo(
  data: string,
  log: string,
  { json = false }: ArenaFlags,
  io: Io,
): Promise<boolean> {
  const report = await Arena.check(data, log, { verify: false })
  io.out(json ? jsonText({ data, log, ...report }) : infoText(data, report, io))
  return report.damage === undefined
}

/** `rpmem arena check DATA LOG`: the same, with every page compared. True if nothing is damaged. */
export async function checkArenaFiles(
  data: string,
  log: string,
  { json = false }: ArenaFlags,
  io: Io,
): Promise<boolean> {
  const report = await watched(io, onProgress => Arena.check(data, log, { onProgress }))
  const { damage, size = 0 } = report
  if (json) io.out(jsonText({ data, log, ...report }))
  else if (damage) io.out(damageText(data, damage, io))
  else io.out(`${data}: good, ${formatBytes(size)} compared, ${newestText(report.checkpoints)}\n`)
  return damage === undefined
}

/** `rpmem arena log DATA LOG`: the checkpoints that can be opened or restored, oldest first. */
export async function printCheckpoints(
  data: string,
  log: string,
  { json = false }: ArenaFlags,
  io: Io,
): Promise<boolean> {
  const { checkpoints, damage } = await Arena.check(data, log, { verify: false })
  if (json) io.out(jsonText({ data, log, checkpoints, damage }))
  else {
    io.out(checkpoints.map(checkpointText).join(''))
    if (damage) io.out(damageText(data, damage, io))
  }
  return damage === undefined
}

/** `rpmem arena recover DATA LOG`: the data file alone is the arena then. */
export async function recoverArenaFiles(
  data: string,
  log: string,
  { json = false, at }: RecoverFlags,
  io: Io,
): Promise<void> {
  const options = at === undefined ? {} : { at: sequenceOf(at) }
  const done = await watched(io, onProgress => Arena.recover(data, log, { ...options, onProgress }))
  if (json) io.out(jsonText({ data, log, ...done }))
  else {
    const { sequence, pages, logSizeBefore, logSize } = done
    const cut = `the log was cut from ${formatBytes(logSizeBefore)} to ${formatBytes(logSize)}`
    io.out(`${data}: at checkpoint ${sequence}, ${counted(pages, 'page')} brought from the log; ${cut}\n`)
  }
}

/** `rpmem arena restore DATA LOG SEQUENCE`: a new checkpoint with the content of an old one. */
export async function restoreArena(
  data: string,
  log: string,
  sequence: string,
  { json = false }: ArenaFlags,
  io: Io,
): Promise<void> {
  const arena = await Arena.open(data, log, { keep: everything })
  try {
    const receipt = await arena.restore(sequenceOf(sequence))
    if (json) io.out(jsonText({ data, log, restored: Number(sequence), ...receipt }))
    else {
      const { sequence: fresh, pages } = receipt
      io.out(`${data}: checkpoint ${fresh} is what checkpoint ${sequence} was; ${counted(pages, 'page')} changed\n`)
    }
  } finally {
    await arena.close()
  }
}

/** The number of a checkpoint as a user writes it. @throws ERR_USAGE */
export function sequenceOf(text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw new RpmemError('ERR_USAGE', `a checkpoint is a number as in \`rpmem arena log\`, not '${text}'`)
}

/** All that the files have. */
const everything = Number.MAX_SAFE_INTEGER

async function watched<T>(io: Io, work: (onProgress: (progress: ArenaProgress) => void) => Promise<T>): Promise<T> {
  let progress: Progress | undefined
  try {
    return await work(({ doneBytes, wholeBytes }) => {
      io.signal.throwIfAborted()
      progress ??= new Progress(io, wholeBytes, performance.now())
      progress.update(doneBytes, performance.now())
    })
  } finally {
    progress?.end()
  }
}

function infoText(data: string, report: ArenaReport, io: Io): string {
  const { id, createdMs, size, dataSize, logSize, logBytes, closed, checkpoints, damage } = report
  const lines = [
    paintFor(io).title(data),
    ...(id === undefined || size === undefined
      ? []
      : [
          `  arena        ${id}`,
          `  created      ${timeText(createdMs ?? 0)}`,
          `  size         ${size} B (${formatBytes(size)})`,
        ]),
    `  data file    ${formatBytes(dataSize)}`,
    `  log          ${formatBytes(logSize)}, ${formatBytes(logBytes)} in use`,
    `  last user    ${closed ? 'closed it' : 'did not close it'}`,
    `  checkpoints  ${checkpoints.length}, ${newestText(checkpoints)}`,
  ]
  return `${lines.join('\n')}\n${damage ? damageText(data, damage, io) : ''}`
}

function newestText(checkpoints: readonly Checkpoint[]): string {
  const newest = checkpoints.at(-1)
  return newest ? `the newest ${newest.sequence} of ${timeText(newest.timeMs)}` : 'none that can be opened'
}

function checkpointText({ sequence, timeMs, size, pages }: Checkpoint): string {
  const changed = pages === undefined ? 'in the data file' : counted(pages, 'page')
  return `${sequence}  ${timeText(timeMs)}  ${formatBytes(size)}  ${changed}\n`
}

function damageText(data: string, { findings, findingCount, whole }: ArenaDamage, io: Io): string {
  const lines = [
    `${paintFor(io).bad('damaged')}: ${data}`,
    ...findings.map(({ file, offset, length, what }) => `  ${file}, ${length} bytes at ${offset}: ${what}`),
    ...(findingCount > findings.length ? [`  and ${findingCount - findings.length} more`] : []),
    whole.length > 0
      ? `  whole are the checkpoints ${whole.join(', ')}; \`rpmem arena recover --at N\` goes back to one`
      : '  no checkpoint is whole',
  ]
  return `${lines.join('\n')}\n`
}

const timeText = (ms: number): string => new Date(ms).toISOString()
const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
const jsonText = (value: object): string => `${JSON.stringify(value)}\n`
