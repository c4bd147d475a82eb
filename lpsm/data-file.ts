import { pageSize } from '../core/index.js'
import type { ArenaFile } from './arena-file.js'
import { pageSums } from './checksum.js'
import { contentAt, type DataHeader, dataHeaderLayout } from './data-header.js'
import type { RecordContent } from './log-record.js'
import { brief, type Work } from './operation.js'
import { pause, readingSize } from './pause.js'
import { encodeSlot, slotAt } from './slots.js'

/** Replaces the header; durable when it has ended. */
export function* writeDataHeader(file: ArenaFile, header: DataHeader, fields: Partial<DataHeader>): Work<DataHeader> {
  const fresh = { ...header, ...fields, change: header.change + 1 }
  yield brief(file.write(slotAt(fresh), [encodeSlot(dataHeaderLayout, fresh)], { sync: true }))
  return fresh
}

/** The base record for a data file whose log is not needed any more, from what it holds. */
export function* baseFromContent(file: ArenaFile, { base, baseTimeMs, size }: DataHeader): Work<RecordContent> {
  const sums = new Uint32Array(size / pageSize)
  for (let done = 0; done < size; done += readingSize) {
    const chunk = new Uint8Array(Math.min(readingSize, size - done))
    file.read(contentAt + done, chunk)
    sums.set(pageSums(chunk), done / pageSize)
    if (size > readingSize) yield pause
  }
  return { kind: 'base', sequence: base, timeMs: baseTimeMs, size, pages: new Uint32Array(0), sums }
}
