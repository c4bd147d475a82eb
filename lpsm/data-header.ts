import { bytes, count64le, pageSize, reserved, struct, u32le, type ValueOf } from '../core/index.js'
import { slotsSize } from './slots.js'

/**
 * The begin of the data file, in two slots (slots.ts). Behind them lies the content of the arena as it was at one checkpoint, page
 * by page, without anything in between.
 */
export const dataHeaderLayout = struct('arena data header', 96, {
  magic: bytes(8),
  version: u32le,
  /** dataFlags */
  flags: u32le,
  /** Random, shared with the log. */
  arena: bytes(16),
  change: count64le,
  /** Bytes of content, a multiple of 4096, at checkpoint `base`. */
  size: count64le,
  /** The checkpoint that the content is at, or is being brought to: what lies before it can no longer be had. */
  base: count64le,
  baseTimeMs: count64le,
  createdMs: count64le,
  unused: reserved(24),
})

export type DataHeader = ValueOf<typeof dataHeaderLayout>

/** needsLog: the content alone is not the newest checkpoint, or not a whole one. */
export const dataFlags = { needsLog: 1 } as const

/** Offset of the first page of content. */
export const contentAt = slotsSize

export const dataMagic: Uint8Array = new Uint8Array(Buffer.from('RPMARENA'))
export const formatVersion = 1

/** The rule that a header with the right checksum breaks. */
export function brokenDataRule({ magic, version, size, flags, createdMs, baseTimeMs }: DataHeader): string | undefined {
  if (!Buffer.from(dataMagic).equals(magic)) return 'it begins with something else'
  if (version !== formatVersion) return `it is of version ${version}`
  if ((flags & ~dataFlags.needsLog) !== 0) return `it has the unknown flags ${flags}`
  if (size === 0 || size % pageSize !== 0) return `the arena has ${size} bytes`
  if (createdMs > maxTimeMs || baseTimeMs > maxTimeMs) return 'it has a time that is none'
  return undefined
}

/** The last moment that a Date can hold. */
export const maxTimeMs = 8.64e15
