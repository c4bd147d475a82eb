import {
  bytes,
  count64le,
  type Kind,
  list,
  pageSize,
  reserved,
  struct,
  u32le,
  u64le,
  type ValueOf,
} from '../core/index.js'
import { dataMagic, formatVersion } from './data-header.js'
import { slotsSize } from './slots.js'

/** A record that does not lie behind the one before it. */
export interface Jump {
  readonly number: number
  readonly at: number
}

const jump: Kind<Jump> = struct('jump', 16, { number: count64le, at: count64le })

/** How many there can be; a fourth was never needed, because each way back to the begin leaves the one before behind. */
export const maxJumps = 8

/**
 * The begin of the log, in two slots (slots.ts). Behind them lie records (log-record.ts), each behind the one before unless a
 * jump says where it lies; the space of records that are not needed any more is used again.
 */
export const logHeaderLayout = struct('arena log header', 224, {
  magic: bytes(8),
  version: u32le,
  /** logFlags */
  flags: u32le,
  /** The same as in the data file. */
  arena: bytes(16),
  /** Random, in every record: one of an earlier life of the log is no record of this one. */
  log: u64le,
  change: count64le,
  /** Where the first record lies that counts, and its number. */
  firstAt: count64le,
  firstNumber: count64le,
  /** What this record names as the checksum of the one before. */
  firstPrevious: u32le,
  unused: reserved(4),
  /** The last record that was durable when this header was written. */
  lastNumber: count64le,
  unusedToo: reserved(16),
  jumps: list(jump, maxJumps),
})

export type LogHeader = ValueOf<typeof logHeaderLayout>

/** closed: no record follows `lastNumber`. */
export const logFlags = { closed: 1 } as const

/** Offset of the area in which records lie. */
export const recordsAt = slotsSize

export const logMagic: Uint8Array = new Uint8Array(Buffer.from('RPMARLOG'))

/** The rule that a header with the right checksum breaks. */
export function brokenLogRule(header: LogHeader): string | undefined {
  const { magic, version, flags, firstAt, firstNumber, lastNumber, jumps } = header
  if (!Buffer.from(logMagic).equals(magic)) {
    return Buffer.from(dataMagic).equals(magic) ? 'it is that of a data file' : 'it begins with something else'
  }
  if (version !== formatVersion) return `it is of version ${version}`
  if ((flags & ~logFlags.closed) !== 0) return `it has the unknown flags ${flags}`
  if (firstNumber < 1 || lastNumber < firstNumber) return 'its numbers of records are in disorder'
  if ([firstAt, ...jumps.filter(isUsed).map(({ at }) => at)].some(at => at < recordsAt || at % pageSize !== 0)) {
    return 'it names a place where no record can lie'
  }
  return undefined
}

export const isUsed = ({ number }: Jump): boolean => number !== 0

/** The table of jumps, filled up. */
export function jumpTable(jumps: readonly Jump[]): readonly Jump[] {
  return Array.from({ length: maxJumps }, (_, index) => jumps[index] ?? { number: 0, at: 0 })
}
