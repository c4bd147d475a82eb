import { alignUp, bytes, count64le, pageSize, reserved, struct, u32le, u64le, type ValueOf } from '../core/index.js'
import { checksum } from './checksum.js'
import { maxTimeMs } from './data-header.js'

/**
 * A record of the log: its head, which is this header and a table behind it, and, from the next multiple of 4096 on, images of
 * pages. It is written in one piece. Each part of it has a checksum, so it counts as a whole or not at all.
 *
 * | kind | table | images |
 * | --- | --- | --- |
 * | checkpoint | for each page that changed: its number and the CRC-32C of its image, ascending | in the same order |
 * | base | the CRC-32C of each page of the data file, which is at this checkpoint | none |
 */
export const recordHeaderLayout = struct('arena log record', 92, {
  magic: bytes(8),
  /** That of the header of the log. */
  log: u64le,
  /** Counts the records of this log, without a gap. */
  number: count64le,
  /** The checksum of the header of the record before: the records are a chain. */
  previous: u32le,
  /** recordKinds */
  kind: u32le,
  /** Of the checkpoint. */
  sequence: count64le,
  timeMs: count64le,
  /** Bytes of the arena at this checkpoint. */
  size: count64le,
  /** Entries of the table. */
  pages: count64le,
  /** CRC-32C of the table. */
  tableSum: u32le,
  unused: reserved(24),
})

export type RecordHeader = ValueOf<typeof recordHeaderLayout>

export const recordKinds = { checkpoint: 1, base: 2 } as const
export type RecordKind = keyof typeof recordKinds

const checksumSize = 4
/** Bytes in front of the table. */
export const recordHeaderSize = recordHeaderLayout.size + checksumSize

export const recordMagic: Uint8Array = new Uint8Array(Buffer.from('RPMRECRD'))

/** What a record says besides its place in the chain. */
export interface RecordContent {
  readonly kind: RecordKind
  readonly sequence: number
  readonly timeMs: number
  readonly size: number
  /** Ascending; empty for a base. */
  readonly pages: Uint32Array
  /** CRC-32C of the image of each; for a base of all pages of the arena. */
  readonly sums: Uint32Array
}

/** Where a record stands in the chain. */
export interface Link {
  readonly log: bigint
  readonly number: number
  readonly previous: number
}

/** Bytes of the head: header and table. */
export const headSize = ({ kind, sums }: RecordContent): number =>
  recordHeaderSize + sums.length * (kind === 'base' ? 4 : 8)

/** Offset of the first image in the record. */
export const imagesOffset = (content: RecordContent): number => alignUp(headSize(content), pageSize)

/** Bytes of the whole record, a multiple of 4096. */
export const recordSize = (content: RecordContent): number =>
  imagesOffset(content) + (content.kind === 'base' ? 0 : content.pages.length * pageSize)

/** The head up to the first image, with zeros behind the table, and what the next record names as the checksum of this one. */
export function encodeHead(content: RecordContent, link: Link): { head: Uint8Array; headerSum: number } {
  const head = new Uint8Array(imagesOffset(content))
  const table = new DataView(head.buffer, recordHeaderSize)
  const { kind, pages, sums, sequence, timeMs, size } = content
  for (const [index, sum] of sums.entries()) {
    if (kind === 'base') table.setUint32(4 * index, sum, true)
    else {
      table.setUint32(8 * index, pages[index] ?? 0, true)
      table.setUint32(8 * index + 4, sum, true)
    }
  }
  const tableSum = checksum(head.subarray(recordHeaderSize, headSize(content)))
  const fields = { ...link, magic: recordMagic, kind: recordKinds[kind], sequence, timeMs, size, tableSum }
  recordHeaderLayout.write(new DataView(head.buffer), 0, { ...fields, pages: sums.length })
  const headerSum = checksum(head.subarray(0, recordHeaderLayout.size))
  new DataView(head.buffer).setUint32(recordHeaderLayout.size, headerSum, true)
  return { head, headerSum }
}

/** The header of a record with a right checksum that could be one, or undefined. */
export function decodeRecordHeader(source: Uint8Array): { header: RecordHeader; headerSum: number } | undefined {
  if (source.length < recordHeaderSize || !hasMagic(source)) return undefined
  const headerSum = checksum(source.subarray(0, recordHeaderLayout.size))
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength)
  if (view.getUint32(recordHeaderLayout.size, true) !== headerSum) return undefined
  try {
    const header = recordHeaderLayout.decode(source)
    return isPossible(header) ? { header, headerSum } : undefined
  } catch {
    return undefined
  }
}

function hasMagic(source: Uint8Array): boolean {
  for (let at = 0; at < recordMagic.length; at++) if (source[at] !== recordMagic[at]) return false
  return true
}

function isPossible({ kind, number, size, pages, timeMs }: RecordHeader): boolean {
  if (number < 1 || size === 0 || size % pageSize !== 0 || timeMs > maxTimeMs) return false
  if (kind === recordKinds.base) return pages === size / pageSize
  return kind === recordKinds.checkpoint && pages <= size / pageSize
}

/** Bytes of the table behind this header. */
export const tableSize = ({ kind, pages }: RecordHeader): number => pages * (kind === recordKinds.base ? 4 : 8)

/** The content of a record from its header and its table, or undefined if the table is not what the header says. */
export function decodeTable(header: RecordHeader, table: Uint8Array): RecordContent | undefined {
  if (checksum(table) !== header.tableSum) return undefined
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
  const { sequence, timeMs, size } = header
  const isBase = header.kind === recordKinds.base
  const sums = new Uint32Array(header.pages)
  const pages = new Uint32Array(isBase ? 0 : header.pages)
  for (let index = 0; index < sums.length; index++) {
    sums[index] = view.getUint32(isBase ? 4 * index : 8 * index + 4, true)
    if (!isBase) pages[index] = view.getUint32(8 * index, true)
  }
  if (!isAscending(pages, size / pageSize)) return undefined
  return { kind: isBase ? 'base' : 'checkpoint', sequence, timeMs, size, pages, sums }
}

function isAscending(pages: Uint32Array, end: number): boolean {
  let least = 0
  for (const page of pages) {
    if (page < least || page >= end) return false
    least = page + 1
  }
  return true
}
