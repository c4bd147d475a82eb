import { type Clock, KiB, pageSize } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { blockSums, differingBlocks } from './block-sums.js'
import type { DirtyMap, Range } from './dirty-map.js'
import type { Keeping } from './keeping.js'
import type { PoolBoard } from './pool-board.js'
import type { Replica } from './replica.js'

export interface ResyncProgress {
  /** `comparing`: which blocks differ. `copying`: they are being sent and verified. */
  readonly phase: 'comparing' | 'copying'
  readonly doneBytes: number
  readonly leftBytes: number
  readonly bytesPerSecond: number
  /** At that rate; undefined as long as there is none. */
  readonly leftMs?: number | undefined
}

export interface ResyncRequest {
  readonly memory: Memory
  /** The first byte that is mirrored, and the end of the pool. */
  readonly base: number
  readonly size: number
  readonly map: DirtyMap
  readonly board: PoolBoard
  readonly replica: Pick<Replica, 'start'>
  readonly keeping: Keeping
  readonly clock: Clock
  /** Bytes a second that may be sent or compared; default unlimited. */
  readonly bytesPerSecond?: number | undefined
  readonly onProgress?: ((progress: ResyncProgress) => void) | undefined
  /** Checked between blocks: thrown if it returns an error. */
  readonly ended: () => Error | undefined
}

/** One request for checksums covers this much: while it is hashed here nothing else happens in this thread. */
const compareSpan = 4 * 1024 * KiB
const compareBlock = 64 * KiB
/** Sent at once and verified together. */
const copySpan = 1024 * KiB
const copiesAtOnce = 2

/** Marks every block in which the replica differs from the master. Nothing is written; equal blocks do not travel. */
export async function compare(request: ResyncRequest): Promise<void> {
  const { memory, base, size, map, keeping } = request
  const pace = new Pace(request, 'comparing', size - base)
  const lengthAt = (offset: number) => Math.min(compareSpan, size - offset)
  const ask = (offset: number) => asked(keeping.sums(offset, lengthAt(offset), compareBlock))
  let next = base < size ? ask(base) : undefined
  for (let offset = base; next; offset += compareSpan) {
    const [length, answer] = [lengthAt(offset), next]
    // Both ends are at work at the same time.
    next = offset + compareSpan < size ? ask(offset + compareSpan) : undefined
    const ours = blockSums(memory, offset, length, compareBlock)
    const theirs = await answer
    const ended = request.ended()
    if (ended) throw ended
    const differing = differingBlocks(ours, theirs)
    request.board.locked(() => {
      for (const index of differing) {
        const at = offset + index * compareBlock
        map.mark(at, Math.min(compareBlock, size - at))
      }
    })
    await pace.moved(length)
  }
}

/** One that fails before anybody awaits it is no bug. */
function asked<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/**
 * Sends what the map says is missing, until nothing is, while the program goes on writing. A block is cleared when the target,
 * after it made the block durable, has shown the checksum that the master's has at that moment; one that changes meanwhile is
 * sent again, in smaller and smaller blocks.
 */
export async function copyMissing(request: ResyncRequest): Promise<void> {
  const { map } = request
  const pace = new Pace(request, 'copying', map.dirtyBytes)
  for (let span = copySpan; !map.isEmpty; span = Math.max(pageSize, span / 4)) {
    const ranges = map.ranges(span)
    const worker = async () => {
      for (const range of ranges) await copyOne(request, pace, range, Math.min(compareBlock, span))
    }
    await Promise.all(Array.from({ length: copiesAtOnce }, worker))
  }
}

async function copyOne(request: ResyncRequest, pace: Pace, range: Range, block: number): Promise<void> {
  const { offset, length } = range
  const { memory, map, replica, keeping } = request
  const ended = request.ended()
  if (ended) throw ended
  await replica.start(offset, length, relaxed).finish()
  const theirs = await keeping.sums(offset, length, block)
  // What another thread stored before it marks a page is compared; what it stores later it marks later.
  request.board.locked(() => {
    const differing = new Set(differingBlocks(blockSums(memory, offset, length, block), theirs))
    for (const { first, count } of equalRuns(differing, Math.ceil(length / block))) {
      const at = offset + first * block
      map.clear(at, Math.min(count * block, offset + length - at))
    }
  })
  await pace.moved(length)
}

function* equalRuns(differing: ReadonlySet<number>, blocks: number): Generator<{ first: number; count: number }> {
  for (let first = 0; first < blocks; first++) {
    let count = 0
    while (first + count < blocks && !differing.has(first + count)) count++
    if (count > 0) yield { first, count }
    first += count
  }
}

/** The replica counts for nothing until it is in step, so its words may be torn meanwhile. */
const relaxed = { relaxed: true }

/** Holds a resync to its rate, and tells how far it is. */
class Pace {
  readonly #request: ResyncRequest
  readonly #phase: ResyncProgress['phase']
  readonly #wholeBytes: number
  readonly #startMs: number
  #doneBytes = 0

  constructor(request: ResyncRequest, phase: ResyncProgress['phase'], wholeBytes: number) {
    this.#request = request
    this.#phase = phase
    this.#wholeBytes = wholeBytes
    this.#startMs = request.clock.nowMs()
  }

  async moved(bytes: number): Promise<void> {
    const { clock, bytesPerSecond, onProgress, map } = this.#request
    this.#doneBytes += bytes
    const elapsedMs = clock.nowMs() - this.#startMs
    const leftBytes = this.#phase === 'copying' ? map.dirtyBytes : Math.max(0, this.#wholeBytes - this.#doneBytes)
    onProgress?.({
      phase: this.#phase,
      doneBytes: this.#doneBytes,
      leftBytes,
      bytesPerSecond: elapsedMs > 0 ? (this.#doneBytes / elapsedMs) * 1000 : 0,
      leftMs: elapsedMs > 0 ? (leftBytes * elapsedMs) / this.#doneBytes : undefined,
    })
    if (bytesPerSecond === undefined) return
    const aheadMs = (this.#doneBytes / bytesPerSecond) * 1000 - elapsedMs
    if (aheadMs > 0) await new Promise<void>(resolve => clock.after(aheadMs, resolve))
  }
}
