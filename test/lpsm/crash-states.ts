import type { Random } from '../../core/index.js'
import type { FileName, JournalEvent } from './journal.js'

/** A power cut leaves each sector as it was before or after a write, or with the first half of it after. */
export const sectorSize = 512

/** What a crash may leave of one event that was not durable: some sectors, or a size. */
interface Piece {
  readonly file: FileName
  /** Index of the sector; -1: `version` is the size of the file. */
  readonly sector: number
  readonly version: number
}

/** The bytes of both files, as a value: equal contents have equal keys (but for a chance of 2^-53). */
export interface DiskState {
  readonly key: number
  bytes(file: FileName): Uint8Array
}

export interface Moment {
  /** The newest checkpoint that the program has declared, and the oldest that may be found. */
  readonly declared: number
  readonly promised: number
}

/** Every distinct content of a sector has a number; 0 are zeros. */
class Sectors {
  readonly #numbers = new Map<string, number>()
  readonly contents: Uint8Array[] = []

  constructor() {
    this.number(new Uint8Array(sectorSize))
  }

  number(content: Uint8Array): number {
    const name = Buffer.from(content.buffer, content.byteOffset, content.length).toString('latin1')
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    this.#numbers.set(name, this.contents.length)
    this.contents.push(content.slice())
    return this.contents.length - 1
  }

  content(number: number): Uint8Array {
    return this.contents[number] ?? new Uint8Array(sectorSize)
  }
}

/** Both files as numbers of sectors, with a key that follows each change. */
class Disk implements DiskState {
  readonly #sectors: Sectors
  readonly #versions: Record<FileName, number[]> = { data: [], log: [] }
  readonly #sizes: Record<FileName, number> = { data: 0, log: 0 }
  #low = 0
  #high = 0

  constructor(sectors: Sectors) {
    this.#sectors = sectors
  }

  get key(): number {
    return (this.#low >>> 0) * 2 ** 21 + (this.#high >>> 11)
  }

  version(file: FileName, sector: number): number {
    return sector < 0 ? this.#sizes[file] : (this.#versions[file][sector] ?? 0)
  }

  set(file: FileName, sector: number, version: number): void {
    this.#mix(file, sector, this.version(file, sector))
    if (sector < 0) this.#sizes[file] = version
    else this.#versions[file][sector] = version
    this.#mix(file, sector, version)
  }

  bytes(file: FileName): Uint8Array {
    const size = this.#sizes[file]
    const bytes = new Uint8Array(Math.ceil(size / sectorSize) * sectorSize)
    const versions = this.#versions[file]
    for (let sector = 0; sector * sectorSize < size; sector++) {
      const version = versions[sector] ?? 0
      if (version !== 0) bytes.set(this.#sectors.content(version), sector * sectorSize)
    }
    return bytes.subarray(0, size)
  }

  #mix(file: FileName, sector: number, version: number): void {
    if (version === 0) return
    const place = (file === 'data' ? 0x3c6ef372 : 0x1b873593) + Math.imul(sector, 0x9e3779b1)
    this.#low ^= scrambled(Math.imul(version, 0x85ebca6b) ^ place)
    this.#high ^= scrambled(Math.imul(version, 0xc2b2ae35) + Math.imul(place, 0x27d4eb2f))
  }
}

function scrambled(value: number): number {
  let word = value
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return word ^ (word >>> 16)
}

export interface Enumeration {
  /** Random subsets of sectors in each window, besides those that are enumerated. */
  readonly samples: number
  readonly random: Random
  /** Only what comes after a call that failed; default false. */
  readonly afterFailure?: boolean
  /** Calls back for each state; the state is good only during the call. */
  readonly visit: (state: DiskState, moment: Moment) => void
}

/**
 * Every state that a crash can leave after each event of a journal, by this model: what was durable is there, and of what was not,
 * * each subset of the events, if there are at most eight;
 * * all, or nothing, and of one event its first, last, or all but some sectors: every cut, every sector, every pair, every torn one;
 * * random subsets of all sectors.
 */
export function enumerateCrashes(
  events: readonly JournalEvent[],
  initial: Record<FileName, Uint8Array>,
  options: Enumeration,
): void {
  const sectors = new Sectors()
  const durable = new Disk(sectors)
  for (const file of ['data', 'log'] as const) {
    for (const piece of [...sizePieces(file, initial[file].length), ...writePieces(sectors, file, 0, initial[file])])
      put(durable, piece)
  }
  const open = new Map<number, Piece[]>()
  let isWanted = !(options.afterFailure ?? false)
  let moment: Moment = { declared: 0, promised: 0 }
  for (const [index, event] of events.entries()) {
    if (event.kind === 'declared') moment = { ...moment, declared: event.sequence }
    else if (event.kind === 'promised') moment = { ...moment, promised: event.sequence }
    else if (event.kind === 'failed') isWanted = true
    else if (event.kind === 'sync') settle(durable, open, event.file, event.covers)
    else if (event.kind === 'size') open.set(index, sizePieces(event.file, event.size))
    else open.set(index, writePieces(sectors, event.file, event.at, event.bytes))
    if (isWanted) visitWindow(durable, sectors, [...open.values()], moment, options)
  }
}

const sizePieces = (file: FileName, size: number): Piece[] => [{ file, sector: -1, version: size }]

/** Writes lie on sectors, or end in zeros up to the next one. */
function writePieces(sectors: Sectors, file: FileName, at: number, bytes: Uint8Array): Piece[] {
  const pieces: Piece[] = []
  for (let from = 0; from < bytes.length; from += sectorSize) {
    const content = new Uint8Array(sectorSize)
    content.set(bytes.subarray(from, from + sectorSize))
    pieces.push({ file, sector: (at + from) / sectorSize, version: sectors.number(content) })
  }
  return pieces
}

function put(disk: Disk, { file, sector, version }: Piece): void {
  disk.set(file, sector, version)
}

function settle(durable: Disk, open: Map<number, Piece[]>, file: FileName, covers: number): void {
  for (const [index, pieces] of open) {
    if (index >= covers || pieces[0]?.file !== file) continue
    for (const piece of pieces) put(durable, piece)
    open.delete(index)
  }
}

function visitWindow(
  disk: Disk,
  sectors: Sectors,
  window: readonly Piece[][],
  moment: Moment,
  options: Enumeration,
): void {
  const visit = (pieces: readonly Piece[]): void => {
    const before = pieces.map(({ file, sector }) => disk.version(file, sector))
    for (const piece of pieces) put(disk, piece)
    options.visit(disk, moment)
    for (let at = pieces.length - 1; at >= 0; at--)
      put(disk, { ...(pieces[at] as Piece), version: before[at] as number })
  }
  if (window.length <= 8)
    for (let set = 0; set < 2 ** window.length; set++) visit(window.filter((_, at) => set & (1 << at)).flat())
  else for (const part of [[], window.flat()]) visit(part)
  const newest = window.at(-1)
  if (newest === undefined) return
  const others = window.slice(0, -1).flat()
  for (const rest of others.length > 0 ? [[], others] : [[]]) {
    for (const part of partsOf(newest, sectors, disk)) visit([...rest, ...part])
  }
  const all = window.flat()
  for (let sample = 0; sample < options.samples; sample++) {
    const bits = options.random.bytes(all.length + 1)
    visit(all.filter((_, at) => ((bits[at + 1] ?? 0) & 255) < (bits[0] ?? 0)))
  }
}

function* partsOf(pieces: readonly Piece[], sectors: Sectors, disk: Disk): Generator<Piece[]> {
  for (let cut = 1; cut < pieces.length; cut++) yield pieces.slice(0, cut)
  for (let cut = 1; cut < pieces.length; cut++) yield pieces.slice(cut)
  for (let at = 0; at < pieces.length; at++) {
    yield [pieces[at] as Piece]
    yield pieces.filter((_, index) => index !== at)
    const torn = tornSector(pieces[at] as Piece, sectors, disk)
    yield [...pieces.slice(0, at), torn]
    yield pieces.map((piece, index) => (index === at ? torn : piece))
  }
  for (let one = 0; one < pieces.length; one++) {
    for (let other = one + 1; other < pieces.length; other++)
      yield pieces.filter((_, index) => index !== one && index !== other)
  }
}

function tornSector({ file, sector, version }: Piece, sectors: Sectors, disk: Disk): Piece {
  if (sector < 0) return { file, sector, version: disk.version(file, sector) }
  const content = sectors.content(disk.version(file, sector)).slice()
  content.set(sectors.content(version).subarray(0, sectorSize / 2))
  return { file, sector, version: sectors.number(content) }
}
