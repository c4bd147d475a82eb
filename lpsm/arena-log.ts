import { alignUp, assert, pageSize } from '../core/index.js'
import { type ArenaFile, allocate } from './arena-file.js'
import {
  isUsed,
  type Jump,
  jumpTable,
  type LogHeader,
  logFlags,
  logHeaderLayout,
  maxJumps,
  recordsAt,
} from './log-header.js'
import { type LogReading, type LogRecord, nextPlace } from './log-reading.js'
import { encodeHead, imagesOffset, type RecordContent, recordHeaderSize, recordSize } from './log-record.js'
import type { Operation, Work } from './operation.js'
import { encodeSlot, slotAt } from './slots.js'

/** A record on its way into the log. */
export interface Draft {
  readonly record: LogRecord
  readonly head: Uint8Array
}

/**
 * The log of an open arena. Its invariants:
 *
 * * a record is written only when the one before it is durable, so a crash tears at most the last;
 * * the space of a record is used again only when a header that begins behind it is durable;
 * * a header never begins behind a base record that is not durable;
 * * behind a checkpoint there is room for a base record, so that a full disk does not keep the log from being folded.
 */
export class ArenaLog {
  readonly file: ArenaFile
  readonly #growth: number
  #header: LogHeader
  #records: LogRecord[]
  #bytes: number
  /** The begin of the next live record behind the last one. */
  #ceiling: number

  /** @param growth bytes by which the file grows at least */
  constructor(file: ArenaFile, { header, records }: LogReading, growth: number) {
    this.file = file
    this.#header = header
    this.#growth = growth
    this.#records = [...records]
    this.#bytes = sizeOf(records)
    this.#ceiling = this.#nextAbove()
  }

  /** The chain, oldest first; at least one. */
  get records(): readonly LogRecord[] {
    return this.#records
  }

  /** Bytes of the chain. */
  get bytes(): number {
    return this.#bytes
  }

  get header(): LogHeader {
    return this.#header
  }

  /**
   * Makes the end that was found the end for certain: what lies there may have been read from a cache whose write had failed, and
   * what was torn behind it is forgotten.
   */
  *reopen(): Work {
    const { at, length } = this.#last
    yield this.file.copy(this.file, [{ from: at, to: at, length }])
    yield this.file.sync()
    yield* this.#change({})
  }

  /** Finds room for a record behind the last one; the file may grow. Nothing has happened yet that counts. */
  *draft(content: RecordContent): Work<Draft> {
    const length = recordSize(content)
    const at = yield* this.#place(length, content.kind === 'base' ? 0 : baseSize(content.size))
    const { head, headerSum } = encodeHead(content, nextPlace(this.#header, this.#last).link)
    const record = {
      ...content,
      number: this.#last.number + 1,
      at,
      length,
      imagesAt: at + imagesOffset(content),
      headerSum,
    }
    return { record, head }
  }

  /** Makes the record durable. */
  write({ head, record }: Draft, images: readonly Uint8Array[]): Operation {
    return this.file.write(record.at, [head, ...images], { sync: true })
  }

  /** The same in two steps: until the second has ended there is no record. */
  writeImages({ record }: Draft, images: readonly Uint8Array[]): Operation {
    return this.file.write(record.imagesAt, images, { sync: true })
  }

  writeHead({ head, record }: Draft): Operation {
    return this.file.write(record.at, [head], { sync: true })
  }

  /** To be called once the record is durable. */
  accept({ record }: Draft): void {
    assert(record.number === this.#last.number + 1, 'records are accepted in order')
    this.#records.push(record)
    this.#bytes += record.length
  }

  /** Forgets the records in front of this one; their space is free when it has ended. */
  *beginWith(first: LogRecord): Work {
    const index = this.#records.indexOf(first)
    assert(index >= 0, 'the log begins with a record of its own')
    if (index === 0) return
    const { at, number } = first
    yield* this.#change({ firstAt: at, firstNumber: number, firstPrevious: this.#records[index - 1]?.headerSum ?? 0 })
    this.#keep(this.#records.slice(index))
  }

  /** A new life of the log, with this base record alone, at its begin, and nothing behind it. */
  *restart(base: RecordContent, log: () => bigint): Work {
    const length = recordSize(base)
    if (!this.#isFree(recordsAt, length)) yield* this.#restartAt(Math.max(this.#top, recordsAt + length), base, log())
    yield* this.#restartAt(recordsAt, base, log())
    yield this.file.truncate(recordsAt + length)
    yield this.file.sync()
  }

  /** Says that no record follows. */
  *close(): Work {
    yield* this.#change({ flags: logFlags.closed })
  }

  get #last(): LogRecord {
    const last = this.#records.at(-1)
    assert(last, 'a log has a record')
    return last
  }

  /** The end of what is occupied. */
  get #top(): number {
    return this.#records.reduce((top, { at, length }) => Math.max(top, at + length), recordsAt)
  }

  /** @param spare bytes that must be free behind it */
  *#place(length: number, spare: number): Work<number> {
    const end = this.#last.at + this.#last.length
    const isOpen = this.#ceiling === Number.POSITIVE_INFINITY
    if (end + length + spare <= (isOpen ? this.file.size : this.#ceiling)) return yield* this.#at(end)
    const isWithin = recordsAt + length + spare <= this.file.size
    if (isWithin && this.#isFree(recordsAt, length + spare)) return yield* this.#at(recordsAt)
    const at = isOpen ? end : this.#top
    yield* this.#grow(at + length + spare)
    return yield* this.#at(at)
  }

  /** Says where the next record lies if it is not where it is looked for. */
  *#at(at: number): Work<number> {
    if (nextPlace(this.#header, this.#last).at === at) return at
    const number = this.#last.number + 1
    yield* this.#change({}, { number, at })
    this.#ceiling = this.#nextAbove(at)
    return at
  }

  *#grow(size: number): Work {
    if (size <= this.file.size) return
    yield* allocate(this.file, alignUp(Math.max(size, this.file.size + this.#growth), pageSize))
  }

  *#restartAt(at: number, base: RecordContent, log: bigint): Work {
    const link = { log, number: 1, previous: 0 }
    const { head, headerSum } = encodeHead(base, link)
    yield* this.#grow(at + head.length)
    yield this.file.write(at, [head], { sync: true })
    const record = { ...base, number: 1, at, length: head.length, imagesAt: at + head.length, headerSum }
    const flags = logFlags.closed
    yield* this.#write({
      flags,
      log,
      firstAt: at,
      firstNumber: 1,
      firstPrevious: 0,
      lastNumber: 1,
      jumps: jumpTable([]),
    })
    this.#keep([record])
  }

  /** A new header; `jump` takes the place of any other for the same record. */
  *#change(fields: Partial<LogHeader>, jump?: Jump): Work {
    const firstNumber = fields.firstNumber ?? this.#header.firstNumber
    // In a damaged log it stays what it was, as long as nobody has decided to go back.
    const lastNumber = Math.max(this.#last.number, this.#header.lastNumber)
    const kept = this.#header.jumps.filter(({ number }) => number > firstNumber && number <= this.#last.number)
    const jumps = jump ? [...kept, jump] : kept
    assert(jumps.length <= maxJumps, 'a log leaves its jumps behind')
    yield* this.#write({ ...fields, lastNumber, jumps: jumpTable(jumps.filter(isUsed)) })
  }

  *#write(fields: Partial<LogHeader>): Work {
    const header = { ...this.#header, flags: 0, ...fields, change: this.#header.change + 1 }
    yield this.file.write(slotAt(header), [encodeSlot(logHeaderLayout, header)], { sync: true })
    this.#header = header
  }

  #keep(records: LogRecord[]): void {
    this.#records = records
    this.#bytes = sizeOf(records)
    this.#ceiling = this.#nextAbove()
  }

  #isFree(from: number, length: number): boolean {
    return this.#records.every(record => record.at >= from + length || record.at + record.length <= from)
  }

  #nextAbove(end = this.#last.at + this.#last.length): number {
    return this.#records.reduce((least, { at }) => (at >= end ? Math.min(least, at) : least), Number.POSITIVE_INFINITY)
  }
}

const sizeOf = (records: readonly LogRecord[]): number => records.reduce((sum, { length }) => sum + length, 0)

const baseSize = (size: number): number => alignUp(recordHeaderSize + 4 * (size / pageSize), pageSize)
