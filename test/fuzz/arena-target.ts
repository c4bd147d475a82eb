import { deepEqual } from 'node:assert/strict'
import { hasCode, pageSize, seededRandom } from '../../core/index.js'
import { readWhole } from '../../lpsm/arena-opening.js'
import { newestOf } from '../../lpsm/arena-reading.js'
import { recoverFiles } from '../../lpsm/arena-recovery.js'
import { checksum } from '../../lpsm/checksum.js'
import { dataHeaderLayout } from '../../lpsm/data-header.js'
import { logHeaderLayout } from '../../lpsm/log-header.js'
import { decodeRecordHeader, recordHeaderLayout, recordHeaderSize, recordMagic } from '../../lpsm/log-record.js'
import { perform } from '../../lpsm/operation.js'
import { fakePorts } from '../lpsm/fake-ports.js'
import type { FileName } from '../lpsm/journal.js'
import { MemoryFile } from '../lpsm/memory-file.js'
import { finalFiles, record } from '../lpsm/workload.js'

type Files = Record<FileName, Uint8Array>

/** The files of small arenas, as their programs left them. */
export const arenas: readonly Files[] = await Promise.all(
  [3, 5, 8].map(async seed => finalFiles(await record(seededRandom(seed), { steps: 3 }))),
)

/** A file of one of these arenas behind a byte that says which, and whether checksums are put right. */
export const arenaSeeds = (name: FileName): Uint8Array[] =>
  arenas.flatMap((files, index) =>
    [0, 1].map(repaired => Buffer.concat([Uint8Array.of(2 * index + repaired), files[name]])),
  )

/** Opens an arena one file of which is foreign. What opens must come through a recovery as it is. */
export function openForeign(name: FileName, input: Uint8Array): void {
  const choice = input[0] ?? 0
  const arena = arenas[(choice >> 1) % arenas.length]
  if (arena === undefined) return
  const foreign = input.slice(1)
  if (choice & 1) repair(name, foreign)
  const files = { data: new MemoryFile('data', arena.data.slice()), log: new MemoryFile('log', arena.log.slice()) }
  files[name] = new MemoryFile(name, foreign)
  try {
    const before = newestOf(perform(readWhole(files, true)))
    deepEqual(perform(recoverFiles(files, fakePorts(), {})).sequence, before.sequence)
    const after = newestOf(perform(readWhole(files, true)))
    deepEqual([after.sequence, after.size], [before.sequence, before.size])
  } catch (error) {
    if (!hasCode(error, 'ERR_ARENA_DAMAGED', 'ERR_ARENA_FOREIGN', 'ERR_DISK_FULL')) throw error
  }
}

/** Checksums of headers, so that what stands in them is looked at. */
function repair(name: FileName, bytes: Uint8Array): void {
  const layout = name === 'data' ? dataHeaderLayout : logHeaderLayout
  for (const at of [0, pageSize]) sign(bytes, at, layout.size)
  for (let at = 2 * pageSize; at + recordHeaderSize <= bytes.length; at += pageSize) {
    if (Buffer.from(recordMagic).equals(bytes.subarray(at, at + recordMagic.length))) signRecord(bytes, at)
  }
}

function signRecord(bytes: Uint8Array, at: number): void {
  sign(bytes, at, recordHeaderLayout.size)
  const found = decodeRecordHeader(bytes.subarray(at))
  if (found === undefined) return
  const { kind, pages } = found.header
  const table = bytes.subarray(at + recordHeaderSize, at + recordHeaderSize + pages * (kind === 1 ? 8 : 4))
  const view = new DataView(bytes.buffer, bytes.byteOffset + at)
  view.setUint32(recordHeaderLayout.offsets.tableSum ?? 0, checksum(table), true)
  sign(bytes, at, recordHeaderLayout.size)
}

function sign(bytes: Uint8Array, at: number, size: number): void {
  if (at + size + 4 > bytes.length) return
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at + size, checksum(bytes.subarray(at, at + size)), true)
}
