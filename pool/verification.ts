import { type Clock, KiB, MiB, RpmemError } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { blockSums, differingBlocks } from './block-sums.js'
import type { Range } from './dirty-map.js'

/** What one replica turned out to hold. */
export interface Verification {
  readonly replica: string
  readonly comparedBytes: number
  /** Blocks of 64 KiB in which it differs from the master, in pool offsets as the user counts them; merged where they touch. */
  readonly differing: readonly Range[]
  /** Bytes that were sent again, and are equal now. */
  readonly repairedBytes: number
}

export interface VerificationProgress {
  readonly replica: string
  readonly doneBytes: number
  readonly wholeBytes: number
  readonly bytesPerSecond: number
  /** At that rate. */
  readonly leftMs: number | undefined
}

export interface VerifyOptions {
  /** Send what differs again, and look once more. Default: only tell. */
  readonly repair?: boolean
  /** Most bytes a second that are compared, on each replica; default unlimited. */
  readonly bytesPerSecond?: number
  /** Only these, in offsets as the user counts them; default: all. */
  readonly ranges?: readonly Range[]
  readonly onProgress?: (progress: VerificationProgress) => void
  readonly signal?: AbortSignal
}

/** One replica as the verification sees it. */
export interface Verifiable {
  readonly name: string
  sums(offset: number, length: number, blockSize: number): Promise<Uint8Array>
  /** Makes the range on the replica what the master holds, durably. */
  send(offset: number, length: number): Promise<void>
}

export interface VerificationRequest extends VerifyOptions {
  readonly master: Memory
  /** The first byte that is mirrored, and the end of the pool. */
  readonly base: number
  readonly size: number
  readonly clock: Clock
  /** Nobody writes meanwhile: what differs once does differ. */
  readonly quiet?: boolean
}

/** Were all bytes of a pool of this size compared, and do they agree by now? */
export const isEqualThroughout = (found: Verification, size: number): boolean =>
  found.comparedBytes === size && found.repairedBytes === differingBytes(found)

export const differingBytes = ({ differing }: Verification): number =>
  differing.reduce((sum, { length }) => sum + length, 0)

const block = 64 * KiB
/** While it is hashed here nothing else happens in this thread. */
const span = 4 * MiB
const mostSent = MiB
/** A block that the program is writing to may differ for a moment; one that differs so often in a row does differ. */
const looks = 8

/** Compares one replica with the master by checksums, while the program may go on. */
export async function verify(request: VerificationRequest, replica: Verifiable): Promise<Verification> {
  const { base, repair = false, signal, onProgress } = request
  const wanted = wantedRanges(request)
  const wholeBytes = wanted.reduce((sum, { length }) => sum + length, 0)
  const differing: Range[] = []
  let [repairedBytes, doneBytes] = [0, 0]
  const startMs = request.clock.nowMs()
  for (const piece of spansOf(wanted)) {
    signal?.throwIfAborted()
    for (const range of await differingIn(request, replica, piece)) {
      differing.push({ offset: range.offset - base, length: range.length })
      if (repair && (await heal(request, replica, range))) repairedBytes += range.length
    }
    doneBytes += piece.length
    await pause(request, doneBytes, startMs)
    onProgress?.(progressOf(replica.name, doneBytes, wholeBytes, request.clock.nowMs() - startMs))
  }
  return { replica: replica.name, comparedBytes: wholeBytes, differing: merged(differing), repairedBytes }
}

function progressOf(replica: string, doneBytes: number, wholeBytes: number, elapsedMs: number): VerificationProgress {
  const bytesPerSecond = elapsedMs > 0 ? (doneBytes / elapsedMs) * 1000 : 0
  const leftMs = elapsedMs > 0 ? ((wholeBytes - doneBytes) * elapsedMs) / doneBytes : undefined
  return { replica, doneBytes, wholeBytes, bytesPerSecond, leftMs }
}

/** In pool offsets with headers, ascending, without overlap. ERR_RANGE for one that leaves the pool. */
function wantedRanges({ base, size, ranges }: VerificationRequest): Range[] {
  if (!ranges) return [{ offset: base, length: size - base }]
  for (const { offset, length } of ranges) {
    const sound = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0
    if (sound && offset + length <= size - base) continue
    const facts = { offset, length, size: size - base }
    throw new RpmemError('ERR_RANGE', `${length} bytes at ${offset} are not inside the pool of ${size - base}`, {
      facts,
    })
  }
  const ascending = ranges.map(({ offset, length }) => ({ offset: base + offset, length }))
  return merged(ascending.sort((one, other) => one.offset - other.offset))
}

function* spansOf(ranges: readonly Range[]): Generator<Range> {
  for (const { offset, length } of ranges) {
    for (let done = 0; done < length; done += span) {
      yield { offset: offset + done, length: Math.min(span, length - done) }
    }
  }
}

async function differingIn(request: VerificationRequest, replica: Verifiable, whole: Range): Promise<Range[]> {
  const { offset, length } = whole
  const asked = replica.sums(offset, length, block)
  // It may fail before it is awaited: the master is hashed meanwhile.
  asked.catch(() => {})
  const ours = blockSums(request.master, offset, length, block)
  const suspects = differingBlocks(ours, await asked)
  if (request.quiet) return runsOf(suspects, whole)
  const differing: Range[] = []
  for (const index of suspects) {
    const at = offset + index * block
    const range = { offset: at, length: Math.min(block, offset + length - at) }
    if (await keepsDiffering(request, replica, range)) differing.push(range)
  }
  return differing
}

/** Blocks that touch are one range, up to what is sent at once. */
function runsOf(blocks: readonly number[], { offset, length }: Range): Range[] {
  const runs: { offset: number; length: number }[] = []
  for (const index of blocks) {
    const at = offset + index * block
    const last = runs.at(-1)
    const added = Math.min(block, offset + length - at)
    if (last && last.offset + last.length === at && last.length < mostSent) last.length += added
    else runs.push({ offset: at, length: added })
  }
  return runs
}

async function keepsDiffering(
  { master, clock, quiet }: VerificationRequest,
  replica: Verifiable,
  range: Range,
): Promise<boolean> {
  for (let look = 0; look < looks; look++) {
    const theirs = await replica.sums(range.offset, range.length, block)
    if (differingBlocks(blockSums(master, range.offset, range.length, block), theirs).length === 0) return false
    if (quiet) return true
    await new Promise<void>(resolve => clock.after(2 ** look, resolve, 'holds'))
  }
  return true
}

async function heal(request: VerificationRequest, replica: Verifiable, range: Range): Promise<boolean> {
  await replica.send(range.offset, range.length)
  return !(await keepsDiffering(request, replica, range))
}

async function pause(
  { bytesPerSecond, clock }: VerificationRequest,
  doneBytes: number,
  startMs: number,
): Promise<void> {
  if (bytesPerSecond === undefined) return
  const aheadMs = (doneBytes / bytesPerSecond) * 1000 - (clock.nowMs() - startMs)
  if (aheadMs > 0) await new Promise<void>(resolve => clock.after(aheadMs, resolve, 'holds'))
}

function merged(ranges: readonly Range[]): Range[] {
  const runs: { offset: number; length: number }[] = []
  for (const { offset, length } of ranges) {
    const last = runs.at(-1)
    if (last && last.offset + last.length >= offset) last.length = Math.max(last.length, offset + length - last.offset)
    else runs.push({ offset, length })
  }
  return runs
}
