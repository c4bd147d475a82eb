import { alignUp, pageSize } from '../core/index.js'
import type { ArenaFile } from './arena-file.js'
import { pageSums } from './checksum.js'
import type { Findings } from './finding.js'
import { brokenLogRule, isUsed, type LogHeader, logFlags, logHeaderLayout, recordsAt } from './log-header.js'
import {
  decodeRecordHeader,
  decodeTable,
  imagesOffset,
  type Link,
  type RecordContent,
  recordHeaderSize,
  recordSize,
  tableSize,
} from './log-record.js'
import type { Work } from './operation.js'
import { pause, readingSize } from './pause.js'
import { readSlots, slotsSize } from './slots.js'

/** A record where it lies. */
export interface LogRecord extends RecordContent {
  readonly number: number
  readonly at: number
  /** Of the whole record. */
  readonly length: number
  /** Offset of the first image in the file. */
  readonly imagesAt: number
  /** What the next record names as the checksum of the one before. */
  readonly headerSum: number
}

export interface LogReading {
  readonly header: LogHeader
  /** The chain from the first record that counts to the last one that is whole. */
  readonly records: readonly LogRecord[]
}

/**
 * Reads the chain of records. A record that is missing or torn is the end of the log, unless something says that it was durable: the
 * header, or a record behind it, since none is written before the one in front of it is durable. Undefined if there is no header.
 */
export function* readLog(file: ArenaFile, findings: Findings): Work<LogReading | undefined> {
  const slots = readSlots(file, logHeaderLayout, brokenLogRule)
  const slot = slots.find(slot => 'value' in slot)
  if (slot === undefined || !('value' in slot)) {
    const why = slots.map(slot => ('broken' in slot ? slot.broken : '')).join('; ')
    findings.add('log', 0, slotsSize, `the header of the log cannot be read (${why})`)
    return undefined
  }
  const header = slot.value
  const records: LogRecord[] = []
  let broken: Broken | undefined
  while (broken === undefined) {
    const { at, link } = nextPlace(header, records.at(-1))
    const found = yield* readRecord(file, at, link)
    if ('broken' in found) broken = found
    else records.push(found)
  }
  yield* judgeEnd(file, header, records, broken, findings)
  return { header, records }
}

/** Where the record after `last` is looked for, and what makes it the right one. */
export function nextPlace(header: LogHeader, last: LogRecord | undefined): { at: number; link: Link } {
  const { log, firstAt, firstNumber, firstPrevious, jumps } = header
  if (last === undefined) return { at: firstAt, link: { log, number: firstNumber, previous: firstPrevious } }
  const number = last.number + 1
  const jump = jumps.find(jump => isUsed(jump) && jump.number === number)
  return { at: jump?.at ?? last.at + last.length, link: { log, number, previous: last.headerSum } }
}

interface Broken {
  readonly broken: string
  readonly at: number
  readonly length: number
}

function* readRecord(file: ArenaFile, at: number, link: Link): Work<LogRecord | Broken> {
  const start = new Uint8Array(pageSize)
  const decoded = decodeRecordHeader(start.subarray(0, file.read(at, start)))
  const none = { at, length: pageSize }
  if (decoded === undefined) return { ...none, broken: 'there is no record' }
  const { header, headerSum } = decoded
  if (header.log !== link.log || header.number !== link.number || header.previous !== link.previous) {
    return { ...none, broken: 'there is another record' }
  }
  const length = alignUp(recordHeaderSize + tableSize(header), pageSize)
  if (at + length > file.size) return { at, length, broken: 'the file ends inside it' }
  const table = new Uint8Array(tableSize(header))
  const content = file.read(at + recordHeaderSize, table) === table.length ? decodeTable(header, table) : undefined
  if (content === undefined) return { at, length, broken: 'its table is not whole' }
  const record: LogRecord = {
    ...content,
    number: header.number,
    at,
    length: recordSize(content),
    imagesAt: at + imagesOffset(content),
    headerSum,
  }
  const broken = yield* brokenImage(file, record)
  return broken === undefined ? record : { at, length: record.length, broken }
}

function* brokenImage(file: ArenaFile, { kind, imagesAt, pages, sums }: LogRecord): Work<string | undefined> {
  if (kind === 'base') return undefined
  const size = pages.length * pageSize
  for (let done = 0; done < size; done += readingSize) {
    const images = new Uint8Array(Math.min(readingSize, size - done))
    if (file.read(imagesAt + done, images) < images.length) return 'the file ends inside it'
    const first = done / pageSize
    const wrong = pageSums(images).findIndex((sum, index) => sum !== sums[first + index])
    if (wrong >= 0) return `the image of page ${pages[first + wrong]} does not match its checksum`
    if (size > readingSize) yield pause
  }
  return undefined
}

function* judgeEnd(
  file: ArenaFile,
  header: LogHeader,
  records: readonly LogRecord[],
  { broken, at, length }: Broken,
  findings: Findings,
): Work {
  const number = (records.at(-1)?.number ?? header.firstNumber - 1) + 1
  const durable = number <= header.lastNumber
  // A log that was closed says itself where it ends.
  const closed = (header.flags & logFlags.closed) !== 0
  if (durable || (!closed && (yield* hasLaterRecord(file, header, records, number)))) {
    findings.add('log', at, length, `record ${number}, which was durable, is damaged: ${broken}`)
  }
}

/** True if a record with a higher number lies outside the chain. */
function* hasLaterRecord(
  file: ArenaFile,
  { log }: LogHeader,
  records: readonly LogRecord[],
  number: number,
): Work<boolean> {
  for (const { from, to } of gaps(records, file.size)) {
    for (let at = from; at < to; at += readingSize) {
      const bytes = new Uint8Array(Math.min(readingSize, to - at))
      const length = file.read(at, bytes)
      for (let page = 0; page + recordHeaderSize <= length; page += pageSize) {
        const found = decodeRecordHeader(bytes.subarray(page, page + recordHeaderSize))
        if (found && found.header.log === log && found.header.number > number) return true
      }
      if (to - from > readingSize) yield pause
    }
  }
  return false
}

/** What no record of the chain occupies. */
export function gaps(records: readonly LogRecord[], size: number): { from: number; to: number }[] {
  const free: { from: number; to: number }[] = []
  let from = recordsAt
  for (const { at, length } of [...records].sort((one, other) => one.at - other.at)) {
    if (at > from) free.push({ from, to: at })
    from = Math.max(from, at + length)
  }
  if (size > from) free.push({ from, to: size })
  return free
}
