import { pageSize } from '../core/index.js'
import { type ArenaFile, allocate } from './arena-file.js'
import { zeroSum } from './checksum.js'
import { contentAt, type DataHeader, dataHeaderLayout, dataMagic, formatVersion } from './data-header.js'
import { jumpTable, type LogHeader, logHeaderLayout, logMagic, recordsAt } from './log-header.js'
import { encodeHead, type RecordContent } from './log-record.js'
import type { Work } from './operation.js'
import { encodeSlot, slotAt } from './slots.js'

/** The header of an arena of zeros, at checkpoint 0. */
export const newDataHeader = (arena: Uint8Array, size: number, nowMs: number): DataHeader => ({
  magic: dataMagic,
  version: formatVersion,
  flags: 0,
  arena,
  change: 1,
  size,
  base: 0,
  baseTimeMs: nowMs,
  createdMs: nowMs,
})

/** Makes an empty file a data file of zeros, with all its space. The caller syncs. */
export function* fillData(file: ArenaFile, header: DataHeader): Work {
  yield* allocate(file, contentAt + header.size)
  yield file.write(slotAt(header), [encodeSlot(dataHeaderLayout, header)])
}

/** The base record of an arena of zeros. */
export const zeroBase = ({ base, baseTimeMs, size }: DataHeader): RecordContent => ({
  kind: 'base',
  sequence: base,
  timeMs: baseTimeMs,
  size,
  pages: new Uint32Array(0),
  sums: new Uint32Array(size / pageSize).fill(zeroSum()),
})

/** Makes an empty file the log of a data file. The caller syncs. */
export function* fillLog(file: ArenaFile, arena: Uint8Array, base: RecordContent, log: bigint, growth: number): Work {
  const header: LogHeader = {
    magic: logMagic,
    version: formatVersion,
    flags: 0,
    arena,
    log,
    change: 1,
    firstAt: recordsAt,
    firstNumber: 1,
    firstPrevious: 0,
    lastNumber: 1,
    jumps: jumpTable([]),
  }
  const { head } = encodeHead(base, { log, number: 1, previous: 0 })
  yield* allocate(file, recordsAt + head.length + growth)
  yield file.write(recordsAt, [head])
  yield file.write(slotAt(header), [encodeSlot(logHeaderLayout, header)])
}
