import { describe, hasCode, type Log, type PoolAttributes } from '../core/index.js'
import type { DurabilityMethod } from '../fabric-native/index.js'
import { type DirtyMap, unknownBase } from './dirty-map.js'
import type { Keeping } from './keeping.js'
import type { KeptState } from './kept-state.js'
import { isFailureOfReplica } from './persist-error.js'
import type { PoolBoard } from './pool-board.js'
import type { PoolLineage } from './pool-lineage.js'
import type { RemoteReplica } from './remote-connector.js'
import type { Persisting, PersistOptions, Replica } from './replica.js'
import type { Transport } from './transport.js'

/** What is known of a replica beyond its connection, in every thread that shares the pool. */
export interface ReplicaBook {
  readonly name: string
  readonly map: DirtyMap
  readonly lineage: PoolLineage
  readonly board: PoolBoard
  readonly log: Log
}

/**
 * A remote replica that may be away: what it misses is recorded, durably, before anybody is told of success. The thread that
 * keeps the replica and those that share it do the same here.
 */
export abstract class RecordedReplica implements RemoteReplica {
  readonly kind = 'remote'
  readonly name: string
  readonly #book: ReplicaBook
  /** Flushed and not drained: whether the target has it is known only after the drain. */
  readonly #owed = new Map<number, { from: number; to: number }>()
  /** Until the map or the lineage change again, nothing more has to be declared. */
  #declared = { edition: -1, generation: -1 }

  constructor(book: ReplicaBook) {
    this.name = book.name
    this.#book = book
  }

  abstract readonly state: KeptState
  abstract readonly inStep: boolean
  /** It can be given what is persisted; otherwise that is to be recorded at once. */
  abstract readonly receives: boolean
  abstract readonly method: DurabilityMethod
  abstract readonly transport: Transport | undefined
  abstract readonly failure: Error | undefined
  abstract readonly attributes: PoolAttributes | undefined
  abstract readonly keeping: Keeping | undefined
  /** ISO 8601: when its blocks were last compared as a whole, as far as this thread knows. */
  abstract readonly verifiedAt: string | undefined
  /** The connection that gets what is persisted. Throws if there is none, or it gets nothing yet. */
  protected abstract live(): RemoteReplica
  /** It was in step when a call began, and has missed it without losing its connection. Under the lock of the pool. */
  protected abstract fallOut(): void
  abstract share(): unknown
  abstract close(options?: { readonly remove?: boolean }): Promise<void>

  /** It is never lost for good. */
  onLost(): void {}

  /** At least so much has to travel before it is in step. */
  get missingBytes(): number {
    return this.#book.map.dirtyBytes
  }

  /** Whether this error of a call means that the replica may lack the range. Its connection may be closed in the midst of one. */
  misses(error: unknown): boolean {
    return isFailureOfReplica(error) || (hasCode(error, 'ERR_CLOSED') && !this.#book.board.isClosed)
  }

  start(offset: number, length: number, options: PersistOptions): Persisting {
    return this.live().start(offset, length, options)
  }

  flush(offset: number, length: number, options: PersistOptions): void {
    const remote = this.live()
    this.#owe(options.lane ?? 0, offset, offset + length)
    remote.flush(offset, length, options)
  }

  drainSync(options: PersistOptions): void {
    this.live().drainSync(options)
    this.#owed.delete(options.lane ?? 0)
  }

  async drain(options: PersistOptions): Promise<void> {
    const lane = options.lane ?? 0
    const owed = this.#owed.get(lane)
    // Flushed from now on is the business of the next drain.
    this.#owed.delete(lane)
    try {
      await this.live().drain(options)
    } catch (error) {
      if (owed) this.#owe(lane, owed.from, owed.to)
      throw error
    }
  }

  /**
   * Records that this replica may lack the range; durable when it returns. The first one after a time in step begins a new
   * generation, so that this copy can be told from the others for ever.
   */
  miss(offset: number, length: number): void {
    this.#record(() => this.#book.map.mark(offset, length))
  }

  /** The same for what was flushed on this lane and never drained. */
  missFlushed(lane: number): void {
    const owed = this.#owed.get(lane)
    this.#record(() => owed && this.#book.map.mark(owed.from, owed.to - owed.from))
    this.#owed.delete(lane)
  }

  /** All that was flushed and never drained. What cannot be recorded now stays owed: the drain that would declare it safe fails. */
  protected recordOwed(): void {
    const { map, board, log } = this.#book
    for (const [lane, { from, to }] of this.#owed) {
      try {
        board.locked(() => map.mark(from, to - from))
        this.#owed.delete(lane)
      } catch (error) {
        log.write('err', `${this.name}: what it misses could not be recorded: ${describe(error).join(': ')}`)
      }
    }
  }

  #record(mark: () => void): void {
    const { board } = this.#book
    board.locked(() => {
      mark()
      this.#declare()
    })
  }

  /** Only a copy that misses something is another one than ours. */
  #declare(): void {
    const { map, lineage, board } = this.#book
    if (map.isEmpty) return
    if (this.#declared.edition !== map.edition || this.#declared.generation !== board.generation) {
      lineage.refresh()
      const before = lineage.current.id
      if (map.base === before || map.base === unknownBase) lineage.begin('replica lost')
      if (map.base === unknownBase) map.rebase(before, false)
      this.#declared = { edition: map.edition, generation: board.generation }
    }
    if (this.inStep) this.fallOut()
  }

  #owe(lane: number, from: number, to: number): void {
    const owed = this.#owed.get(lane)
    this.#owed.set(lane, owed ? { from: Math.min(owed.from, from), to: Math.max(owed.to, to) } : { from, to })
  }
}

export const isOutOfStep = (replica: Replica): boolean => replica instanceof RecordedReplica && !replica.inStep
