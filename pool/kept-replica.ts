import {
  assert,
  type Clock,
  hasCode,
  type Lineage,
  type PoolAttributes,
  type Random,
  type ReplicaRecord,
  RpmemError,
} from '../core/index.js'
import { type DurabilityMethod, type Memory, NativeMemory } from '../fabric-native/index.js'
import type { ReplicaShare } from './attached-replica.js'
import { BackOff, type BackOffOptions } from './back-off.js'
import type { Keeping } from './keeping.js'
import type { KeptChange, KeptState } from './kept-state.js'
import { admit, refusedGeneration } from './lineage-check.js'
import { RecordedReplica, type ReplicaBook } from './recorded-replica.js'
import type { RemoteReplica } from './remote-connector.js'
import { phases, ReplicaBoard } from './replica-board.js'
import { compare, copyMissing, type ResyncProgress, type ResyncRequest } from './resync.js'
import type { Transport } from './transport.js'
import { verify } from './verification.js'

export interface KeptReplicaOptions extends ReplicaBook {
  readonly memory: Memory
  /** Headers end and the user's bytes begin here: what lies before is each copy's own. */
  readonly base: number
  readonly size: number
  /** One attempt; it settles within its own time limit. `claim` is shown to the target. */
  readonly connect: (claim: ReplicaRecord, signal: AbortSignal) => Promise<RemoteReplica>
  readonly clock: Clock
  readonly random: Random
  readonly backOff?: BackOffOptions
  readonly resyncBytesPerSecond?: number
  readonly onChange: (change: KeptChange) => void
  readonly onProgress?: (progress: ResyncProgress) => void
}

/**
 * A remote replica that is kept: it connects again by itself after a loss, gets what it has missed, and is called synced only
 * when that was verified.
 */
export class KeptReplica extends RecordedReplica {
  readonly #options: KeptReplicaOptions
  readonly #backOff: BackOff
  readonly #closed = new AbortController()
  /** What other threads are told, once the pool is shared. */
  readonly #board = new ReplicaBoard()
  #isShared = false
  #remote: RemoteReplica | undefined
  #state: KeptState = 'connecting'
  #failure: Error | undefined
  #method: DurabilityMethod = 'msync'
  #transport: Transport | undefined
  #verifiedAt: string | undefined
  #running: Promise<void> | undefined
  #retry: (() => void) | undefined
  #tried: () => void = () => {}
  #watchers: (() => void)[] = []

  constructor(options: KeptReplicaOptions) {
    super(options)
    this.#options = options
    this.#backOff = new BackOff(options.random, options.backOff)
    // What a writer that crashed had under way it never recorded.
    if (options.lineage.stoppedBadly) options.map.distrust()
    options.map.clear(0, options.base)
    options.lineage.onChange(() => this.#followLineage())
  }

  get state(): KeptState {
    return this.#state
  }

  get inStep(): boolean {
    return this.#state === 'synced'
  }

  get receives(): boolean {
    return this.#remote !== undefined && (this.#state === 'synced' || this.#state === 'syncing')
  }

  get method(): DurabilityMethod {
    return this.#method
  }

  get transport(): Transport | undefined {
    return this.#transport
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** When all of it was last compared and what differed was sent and confirmed; ISO 8601. */
  get verifiedAt(): string | undefined {
    return this.#verifiedAt
  }

  get attributes(): PoolAttributes | undefined {
    return this.#remote?.attributes
  }

  /** For AttachedReplica in another thread; from now on each connection is told to all of them. */
  share(): ReplicaShare {
    const { map } = this.#options
    const { memory } = map
    if (!(memory instanceof NativeMemory)) throw new RpmemError('ERR_ARGUMENT', 'only mapped memory can be shared')
    if (!this.#isShared && this.#remote) this.#tell(this.#remote)
    this.#isShared = true
    return { board: this.#board.buffer, map: map.share(), media: memory.share() }
  }

  /** Another thread has found that it missed something without having lost its connection. */
  missedElsewhere(): void {
    if (this.#state === 'synced' && this.#board.phase !== phases.synced) this.fallOut()
  }

  /** Begins to connect; from now on changes are told. Resolves at the end of the first attempt, whatever it brought. */
  begin(): Promise<void> {
    assert(this.#running === undefined, 'a replica is kept once')
    const tried = new Promise<void>(resolve => {
      this.#tried = resolve
    })
    this.#running = this.#keep()
    return tried
  }

  /** Takes over the connection of a pool that was just created on the target: both sides are equal. */
  async beginWith(remote: RemoteReplica): Promise<void> {
    this.#attach(remote)
    const isEqual = await this.#confirm(false)
    assert(isEqual, 'nothing was written yet')
    this.#running = this.#keep()
  }

  nextChange(): Promise<void> {
    return new Promise(resolve => this.#watchers.push(resolve))
  }

  /** The next attempt is made now. */
  retryNow(): void {
    this.#backOff.reset()
    this.#retry?.()
  }

  /** Of the connection there is; undefined while there is none. */
  get keeping(): Keeping | undefined {
    return this.#remote?.keeping
  }

  /**
   * Decides for the master's content against that of a replica that was refused, and resolves when the replica is in step;
   * `dryRun` only compares. Resolves with the bytes that differed, by blocks. ERR_ARGUMENT for a replica that was not refused.
   */
  async resolve({ dryRun }: { readonly dryRun: boolean }): Promise<number> {
    const { lineage } = this.#options
    const theirs = this.#state === 'refused' ? refusedGeneration(this.#failure) : undefined
    if (!theirs) {
      throw new RpmemError(
        'ERR_ARGUMENT',
        `${this.name} is ${this.#state}: only a copy that was refused can be decided on`,
        {
          cause: this.#failure,
        },
      )
    }
    const next = lineage.over(theirs)
    const differing = await this.#differingBytes(next)
    if (dryRun) return differing
    lineage.resolve(next)
    this.retryNow()
    while (!this.inStep) {
      await this.nextChange()
      if (this.#state === 'refused' || this.#state === 'closed') throw this.#failure ?? closedMeanwhile()
    }
    return differing
  }

  async #differingBytes(lineage: Lineage): Promise<number> {
    const { connect, memory, base, size, clock } = this.#options
    const remote = await connect({ lineage, closed: false, syncing: false, touched: false }, this.#closed.signal)
    try {
      const { keeping } = remote
      if (!keeping) return size - base
      const replica = { name: this.name, sums: keeping.sums, send: async () => {} }
      const { differing } = await verify({ master: memory, base, size, clock }, replica)
      return differing.reduce((sum, { length }) => sum + length, 0)
    } finally {
      await remote.close()
    }
  }

  async close(options?: { readonly remove?: boolean }): Promise<void> {
    if (this.#closed.signal.aborted) return this.#running
    this.#closed.abort()
    this.#retry?.()
    // What nobody has drained may not be there: the next opening sends it.
    this.recordOwed()
    const remote = this.#remote
    this.#remote = undefined
    await remote?.close(options)
    await this.#running
    this.#change({ state: 'closed' })
  }

  protected override fallOut(): void {
    this.#lose(new RpmemError('ERR_TARGET_LOST', `${this.name} missed a persist`))
  }

  protected override live(): RemoteReplica {
    if (this.#remote && this.receives) return this.#remote
    throw this.#failure ?? new RpmemError('ERR_TARGET_LOST', `${this.name} is not connected`, { durability: 'none' })
  }

  /** One connection after another, until close. */
  async #keep(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      try {
        if (!this.#remote) await this.#connect()
        if (this.#state !== 'synced') await this.#bringIntoStep()
        this.#backOff.reset()
        await this.#untilLost()
      } catch (error) {
        await this.#drop(error)
      }
    }
  }

  async #connect(): Promise<void> {
    this.#change({ state: 'connecting' })
    const { lineage, connect } = this.#options
    const claim = { lineage: lineage.lineage, closed: false, syncing: false, touched: false }
    try {
      this.#attach(await connect(claim, this.#closed.signal))
    } catch (error) {
      throw named(this.name, error)
    }
  }

  /** A connection that is lost already is about to say so. */
  #tell(remote: RemoteReplica): void {
    if (!remote.failure) this.#options.board.locked(() => this.#board.tell(remote.share()))
  }

  #attach(remote: RemoteReplica): void {
    this.#remote = remote
    this.#method = remote.method
    this.#transport = remote.transport
    this.#failure = undefined
    if (this.#isShared) this.#tell(remote)
    remote.onLost(error => {
      if (this.#remote === remote) this.#lose(error)
    })
  }

  async #bringIntoStep(): Promise<void> {
    const keeping = this.#connectedKeeping()
    const { map, lineage, board } = this.#options
    const request = this.#request(keeping)
    const compares = this.#mustCompare(keeping.record)
    if (compares) {
      this.#change({ state: 'comparing' })
      await compare(request)
      const { id } = (keeping.record?.lineage ?? lineage.lineage).current
      board.locked(() => map.rebase(id, true))
    }
    do {
      if (!map.isEmpty)
        await keeping.adopt({ ...this.#ourRecord(), lineage: this.#theirLineage(keeping), syncing: true })
      this.#checkConnected()
      // From here on it gets what is persisted, so that what is missing only grows less.
      if (this.#state !== 'syncing') this.#change({ state: 'syncing' })
      await copyMissing(request)
    } while (!(await this.#confirm(compares)))
  }

  /** The target notes that its copy is ours; it is in step, and the map starts anew, if nothing was missed meanwhile. */
  async #confirm(wasCompared: boolean): Promise<boolean> {
    const { map, lineage, board } = this.#options
    const generation = lineage.current.id
    await this.#connectedKeeping().adopt(this.#ourRecord())
    this.#checkConnected()
    return board.locked(() => {
      lineage.refresh()
      if (!map.isEmpty || lineage.current.id !== generation) return false
      map.reset(generation)
      if (wasCompared) this.#verifiedAt = new Date().toISOString()
      this.#change({ state: 'synced' })
      return true
    })
  }

  #connectedKeeping(): Keeping {
    this.#checkConnected()
    const { keeping } = this
    if (keeping) return keeping
    throw new RpmemError('ERR_REPLICA_STRANGER', `${this.name}: the target cannot say what its copy has been through`)
  }

  /** While a copy is behind it keeps its own name, so that it is known for what it is if we die meanwhile. */
  #theirLineage(keeping: Keeping): ReplicaRecord['lineage'] {
    return keeping.record?.lineage ?? this.#options.lineage.lineage
  }

  #ourRecord(): ReplicaRecord {
    return { lineage: this.#options.lineage.lineage, closed: false, syncing: false, touched: false }
  }

  /** Only if the map is the whole difference may the rest be trusted. Throws if the copy must not be overwritten. */
  #mustCompare(record: ReplicaRecord | undefined): boolean {
    const { map, board } = this.#options
    if (!record) return true
    admit(this.name, this.#ourRecord(), record)
    // A copy that was being written to is missing something, whatever we think.
    if (record.syncing && map.isEmpty) return true
    return !map.isWhole || board.isSuspect || record.touched || map.base !== record.lineage.current.id
  }

  #request(keeping: Keeping): ResyncRequest {
    const { memory, base, size, map, board, clock, resyncBytesPerSecond, onProgress } = this.#options
    const remote = this.#remote
    assert(remote, 'a connected replica has a connection')
    return {
      memory,
      base,
      size,
      map,
      board,
      keeping,
      clock,
      replica: remote,
      bytesPerSecond: resyncBytesPerSecond,
      onProgress,
      ended: () => (this.#remote === remote ? undefined : (this.#failure ?? closedMeanwhile())),
    }
  }

  #checkConnected(): void {
    if (this.#closed.signal.aborted) throw closedMeanwhile()
    if (!this.#remote) throw this.#failure ?? closedMeanwhile()
  }

  /** Another replica has fallen out: those that are in step go on in the new generation. */
  #followLineage(): void {
    const { map, lineage } = this.#options
    if (this.#state !== 'synced' || !map.isEmpty) return
    map.reset(lineage.current.id)
    this.#connectedKeeping()
      .adopt(this.#ourRecord())
      .catch(error => this.#lose(error))
  }

  #lose(error: unknown): void {
    const remote = this.#remote
    if (!remote) return
    this.#remote = undefined
    this.#failure = error instanceof Error ? error : new Error(String(error))
    // Not before: what is recorded of a replica in step makes it lost.
    this.#change({ state: 'lost', error })
    this.recordOwed()
    remote.close().catch(() => {})
    this.#retry?.()
  }

  async #untilLost(): Promise<void> {
    if (!this.#remote || this.#closed.signal.aborted) return
    await new Promise<void>(resolve => {
      this.#retry = resolve
    })
    this.#retry = undefined
  }

  /** After an attempt that failed, or a loss: waits before the next. */
  async #drop(error: unknown): Promise<void> {
    const remote = this.#remote
    this.#remote = undefined
    if (remote) remote.close().catch(() => {})
    if (this.#closed.signal.aborted) return
    this.#failure = error instanceof Error ? error : new Error(String(error))
    const refused = hasCode(error, 'ERR_REPLICA_AHEAD', 'ERR_REPLICA_DIVERGED', 'ERR_REPLICA_STRANGER')
    const nextAttemptMs = refused ? this.#backOff.mostMs : this.#backOff.nextMs()
    this.#change({ state: refused ? 'refused' : 'lost', error, nextAttemptMs })
    await new Promise<void>(resolve => {
      const cancel = this.#options.clock.after(nextAttemptMs, resolve)
      this.#retry = () => {
        cancel()
        resolve()
      }
    })
    this.#retry = undefined
  }

  #change(change: KeptChange): void {
    this.#state = change.state
    this.#board.phase = change.state === 'synced' || change.state === 'syncing' ? phases[change.state] : phases.away
    if (change.state !== 'connecting') this.#tried()
    this.#options.log.write('info', `${this.name} is ${change.state}`)
    this.#options.onChange(change)
    for (const watcher of this.#watchers.splice(0)) watcher()
  }
}

/** A target that refuses knows its pool set by another name than we do. */
function named(name: string, error: unknown): unknown {
  if (!hasCode(error, 'ERR_REPLICA_AHEAD', 'ERR_REPLICA_DIVERGED', 'ERR_REPLICA_STRANGER')) return error
  const facts = { ...error.facts, replica: name }
  return RpmemError.wrap(error.code, `${name}: ${error.message}`, error, { facts, hint: error.hint })
}

const closedMeanwhile = (): RpmemError => new RpmemError('ERR_CLOSED', 'the pool was closed')
