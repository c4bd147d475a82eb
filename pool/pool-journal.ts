import { type Clock, describe, type Log, silentLog, systemClock } from '../core/index.js'
import type { KeptChange } from './kept-state.js'
import type { LatencyHistogram } from './latency.js'
import type { PoolState } from './pool.js'
import type { PoolChange, PoolStatus, ReplicaReport } from './pool-status.js'
import { ownIdentity, type ProcessIdentity } from './process-identity.js'
import type { ReplicaStatus } from './receipt.js'
import type { ResyncProgress } from './resync.js'
import type { StatusNote } from './status-note.js'

/** What the journal asks the pool for when it is to say how things stand. */
export interface PoolView {
  readonly state: PoolState
  readonly size: number
  readonly replicas: readonly ReplicaStatus[]
}

export interface JournalOptions {
  readonly view: () => PoolView
  readonly latencies: ReadonlyMap<string, LatencyHistogram>
  /** Where other processes can read it; undefined: nowhere. */
  readonly note?: StatusNote | undefined
  readonly clock?: Clock | undefined
  readonly log?: Log | undefined
}

/** What is counted of one replica beside what it knows itself. */
interface Account {
  retries: number
  resync: ResyncProgress | undefined
  verifiedAt: string | undefined
}

const changesKept = 64
/** Changes are noted at once; figures, which change with every persist, so often. */
const figuresEveryMs = 1000

/**
 * Keeps what happens to a pool and its replicas, and writes it to a note that other processes read. The note is a convenience:
 * one that cannot be written is told to the log and fails nothing. What a replica misses stands in its map, which is durable.
 */
export class PoolJournal {
  readonly #options: JournalOptions
  readonly #clock: Clock
  readonly #accounts = new Map<string, Account>()
  readonly #changes: PoolChange[]
  readonly #openedAt = new Date().toISOString()
  #process: ProcessIdentity | undefined
  #sequence: number
  #notedMs = Number.NEGATIVE_INFINITY
  #noted = 0
  #cancel: () => void = () => {}

  constructor(options: JournalOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    const before = options.note?.read()
    this.#changes = [...(before?.changes ?? [])]
    this.#sequence = this.#changes.at(-1)?.sequence ?? 0
    for (const { name, verifiedAt } of before?.replicas ?? []) this.#account(name).verifiedAt = verifiedAt
    this.record('open')
    if (options.note) this.#tick()
  }

  /** The pool itself, or a replica of it, is in another state. */
  record(state: PoolChange['state'], replica?: string, change: Omit<KeptChange, 'state'> = {}): void {
    const { error, nextAttemptMs } = change
    if (replica !== undefined) this.#follow(this.#account(replica), state)
    this.#changes.push({
      sequence: ++this.#sequence,
      at: new Date().toISOString(),
      replica,
      state,
      failure: error === undefined ? undefined : describe(error).join(': '),
      nextAttemptMs,
    })
    if (this.#changes.length > changesKept) this.#changes.shift()
    this.#write()
  }

  progressed(replica: string, progress: ResyncProgress): void {
    this.#account(replica).resync = progress
    if (this.#clock.nowMs() - this.#notedMs >= figuresEveryMs) this.#write()
  }

  /** All of the replica was found equal. */
  verified(replica: string): void {
    this.#account(replica).verifiedAt = new Date().toISOString()
    this.#write()
  }

  status(): PoolStatus {
    const { state, size, replicas } = this.#options.view()
    this.#process ??= ownIdentity()
    return {
      state,
      size,
      process: this.#process,
      openedAt: this.#openedAt,
      notedAt: new Date().toISOString(),
      replicas: replicas.map(replica => this.#report(replica)),
      changes: [...this.#changes],
    }
  }

  /** The pool is closed, well or not. */
  close(): void {
    this.#cancel()
    this.record('closed')
  }

  #report({ name, kind, state, method, transport, missingBytes, failure, verifiedAt }: ReplicaStatus): ReplicaReport {
    const account = this.#account(name)
    return {
      name,
      kind,
      state,
      method,
      transport,
      missingBytes,
      failure: failure === undefined ? undefined : describe(failure).join(': '),
      verifiedAt: later(verifiedAt, account.verifiedAt),
      retries: account.retries,
      resync: state === 'comparing' || state === 'syncing' ? account.resync : undefined,
      latency: this.#options.latencies.get(name)?.snapshot(),
    }
  }

  #follow(account: Account, state: PoolChange['state']): void {
    if (state === 'connecting') account.retries++
    if (state !== 'syncing') account.resync = undefined
  }

  #account(replica: string): Account {
    const known = this.#accounts.get(replica)
    if (known) return known
    const fresh = { retries: 0, resync: undefined, verifiedAt: undefined }
    this.#accounts.set(replica, fresh)
    return fresh
  }

  /** Writes the figures again if any persist was measured since. */
  #tick(): void {
    this.#cancel = this.#clock.after(figuresEveryMs, () => {
      if (this.#measured() !== this.#noted) this.#write()
      this.#tick()
    })
  }

  #measured(): number {
    let count = 0
    for (const histogram of this.#options.latencies.values()) count += histogram.count
    return count
  }

  #write(): void {
    const { note, log = silentLog } = this.#options
    if (!note) return
    this.#notedMs = this.#clock.nowMs()
    this.#noted = this.#measured()
    try {
      note.write(this.status())
    } catch (error) {
      log.write('warn', `the state of the pool could not be noted: ${describe(error).join(': ')}`)
    }
  }
}

const later = (one: string | undefined, other: string | undefined): string | undefined =>
  one === undefined || (other !== undefined && other > one) ? other : one
