import { type ErrorCode, isRpmemError, pageSize } from '../../core/index.js'
import { pagesAt } from '../../lpsm/arena-content.js'
import { readWhole } from '../../lpsm/arena-opening.js'
import { type ArenaReading, newestOf, openable } from '../../lpsm/arena-reading.js'
import { contentAt } from '../../lpsm/data-header.js'
import type { LogRecord } from '../../lpsm/log-reading.js'
import { perform } from '../../lpsm/operation.js'
import type { FileName } from './journal.js'
import { MemoryFile } from './memory-file.js'

/** What was found in a state: the checkpoint it is at, or what is wrong with it. */
export type Verdict = { readonly sequence: number } | { readonly wrong: string; readonly code?: ErrorCode }

/** Opens both files as they are and compares the content with what the checkpoint held. */
export function judge(files: Record<FileName, Uint8Array>, contents: readonly Uint8Array[]): Verdict {
  try {
    return openedAt(files, contents)
  } catch (error) {
    if (isRpmemError(error)) return { wrong: error.message, code: error.code }
    return { wrong: error instanceof Error ? error.message : String(error) }
  }
}

function openedAt(bytes: Record<FileName, Uint8Array>, contents: readonly Uint8Array[]): Verdict {
  const files = { data: new MemoryFile('data', bytes.data), log: new MemoryFile('log', bytes.log) }
  const reading = perform(readWhole(files, true, Number.MAX_SAFE_INTEGER))
  const { sequence } = newestOf(reading)
  for (const record of openable(reading)) {
    const wrong = wrongAt(files, reading, record, contents[record.sequence])
    if (wrong !== undefined) return { wrong }
  }
  return { sequence }
}

function wrongAt(
  files: Record<FileName, MemoryFile>,
  { checkpoints }: ArenaReading,
  { sequence, size }: LogRecord,
  expected: Uint8Array | undefined,
): string | undefined {
  if (expected === undefined) return `it is at checkpoint ${sequence}, which never was`
  if (expected.length !== size) return `checkpoint ${sequence} has ${size} bytes instead of ${expected.length}`
  const content = new Uint8Array(size)
  content.set(files.data.bytes.subarray(contentAt, contentAt + size))
  const upTo = checkpoints.filter(record => record.sequence <= sequence)
  const changed = new Set(upTo.flatMap(({ pages }) => [...pages]))
  for (const [page, image] of pagesAt(files, upTo, changed)) content.set(image, page * pageSize)
  return Buffer.compare(content, expected) === 0 ? undefined : `the content is not that of checkpoint ${sequence}`
}
