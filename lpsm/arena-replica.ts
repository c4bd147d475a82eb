import { assert, type Clock, hasCode, type Random, RpmemError } from '../core/index.js'
import { BackOff, type RemoteConnector, type Transport } from '../pool/index.js'
import type { Draft } from './arena-log.js'
import type { CheckpointChanges, CheckpointSink } from './checkpoint-sink.js'
import type { Operation, Work } from './operation.js'
import { ReplicaLink, type ReplicatedArena } from './replica-link.js'
import { WorkQueue } from './work-queue.js'

/**
 * | state | meaning | the way out |
 * | --- | --- | --- |
 * | connecting | an attempt is under way | its own time limits |
 * | syncing | what it lacks is sent, as checkpoints of its own | synced, or lost |
 * | synced | every checkpoint is durable there when it is durable here | |
 * | lost | not connected; the next attempt follows | the next attempt |
 * | refused | it holds another arena, or went on without this one; it is asked again | somebody decides |
 * | closed | the arena was closed | |
 */
export type ArenaReplicaState = 'connecting' | 'syncing' | 'synced' | 'lost' | 'refused' | 'closed'

export interface ArenaReplicaStatus {
  /** 'user@node2 arena.set' */
  readonly name: string
  readonly state: ArenaReplicaState
  /** The checkpoint that it is at, as far as is known. */
  readonly sequence: number | undefined
  readonly transport: Transport | undefined
  /** Why it is not connected. */
  readonly error: Error | undefined
}

/** What a replica needs of its arena. */
export interface ReplicaSource {
  readonly arena: ReplicatedArena
  /** Carries work out while no checkpoint is being written. */
  inTurn<Result>(work: Work<Result>): Promise<Result>
  /**
   * What a copy with these checksums of pages lacks of the newest checkpoint; undefined if it is at that checkpoint.
   * @throws ERR_REPLICA_AHEAD, ERR_REPLICA_DIVERGED
   */
  lacking(sequence: number, sums: Uint32Array): CheckpointChanges | undefined
}

export interface ArenaReplicaOptions {
  readonly node: string
  readonly set: string
  readonly required: boolean
  readonly connector: RemoteConnector
  readonly source: ReplicaSource
  readonly clock: Clock
  readonly random: Random
  readonly onChange: (status: ArenaReplicaStatus) => void
}

/**
 * A replica of an arena on a target: at all times at one checkpoint, also while it is brought up to date, because whatever it lacks
 * is appended to its own log in one piece. A replica that was lost comes back by itself.
 */
export class ArenaReplica implements CheckpointSink {
  readonly name: string
  readonly required: boolean
  readonly #options: ArenaReplicaOptions
  /** What writes to the copy, in order. */
  readonly #queue = new WorkQueue()
  readonly #backOff: BackOff
  readonly #closed = new AbortController()
  #state: ArenaReplicaState = 'connecting'
  #link: ReplicaLink | undefined
  #prepared: { readonly link: ReplicaLink; readonly draft: Draft } | undefined
  #sequence: number | undefined
  #transport: Transport | undefined
  #error: Error | undefined
  #attempt: Promise<void> = Promise.resolve()
  #ending: Promise<void> = Promise.resolve()
  #cancel: () => void = () => {}

  constructor(options: ArenaReplicaOptions) {
    this.name = `${options.node} ${options.set}`
    this.required = options.required
    this.#options = options
    this.#backOff = new BackOff(options.random)
  }

  get absence(): Error | undefined {
    return this.#state === 'synced' ? undefined : (this.#error ?? notYet(this.name))
  }

  get status(): ArenaReplicaStatus {
    const { name } = this
    return { name, state: this.#state, sequence: this.#sequence, transport: this.#transport, error: this.#error }
  }

  /** Connects, and brings the copy into step. If that fails, nothing follows. */
  async begin(): Promise<void> {
    await this.#join()
  }

  /** After `begin` has failed: again, until it comes about. */
  later(error: unknown): void {
    this.#fail(error)
  }

  prepare(changes: CheckpointChanges): Operation {
    assert(this.#link && this.#state === 'synced', 'only a replica in step is given checkpoints')
    return this.#queue.operation(this.#prepare(this.#link, changes))
  }

  commit(): Operation {
    return this.#queue.operation(this.#commit())
  }

  /** Lets what is under way end, and says at the target that no checkpoint follows. Idempotent. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const link = this.#link
    const orderly = this.#state === 'synced'
    this.#link = undefined
    this.#change('closed')
    this.#closed.abort()
    this.#cancel()
    await this.#attempt
    if (link && orderly) await this.#queue.post(link.copy.close()).catch(() => {})
    await link?.close().catch(() => {})
    await this.#ending
  }

  async #join(): Promise<void> {
    const { node, set, connector, source, random } = this.#options
    this.#change('connecting')
    const { signal } = this.#closed
    const link = await ReplicaLink.open({ node, set, connector, random, signal, arena: source.arena })
    if (signal.aborted) return link.close()
    this.#link = link
    this.#transport = link.remote.transport
    link.remote.onLost(error => this.#lose(link, error))
    try {
      await this.#catchUp(link)
    } catch (error) {
      this.#drop(link)
      throw error
    }
  }

  async #catchUp(link: ReplicaLink): Promise<void> {
    const { source } = this.#options
    this.#change('syncing')
    for (let round = 0; round < rounds; round++) {
      const { sequence, sums } = link.copy
      const changes = source.lacking(sequence, sums)
      if (!changes) break
      await this.#queue.post(link.copy.append(changes))
      await this.#queue.post(link.copy.foldIfLarge())
    }
    await source.inTurn(this.#comeIntoStep(link))
  }

  /** The last step, while no checkpoint is written: from here on it gets each of them. */
  *#comeIntoStep(link: ReplicaLink): Work {
    const { sequence, sums } = link.copy
    const changes = this.#options.source.lacking(sequence, sums)
    if (changes) yield this.#queue.operation(link.copy.append(changes))
    yield this.#queue.operation(link.publish())
    if (this.#link !== link) throw this.#error ?? notYet(this.name)
    this.#sequence = link.copy.sequence
    this.#error = undefined
    this.#backOff.reset()
    this.#change('synced')
  }

  *#prepare(link: ReplicaLink, changes: CheckpointChanges): Work {
    this.#prepared = undefined
    try {
      this.#prepared = { link, draft: yield* link.copy.prepare(changes) }
    } catch (error) {
      this.#lose(link, error)
      throw error
    }
  }

  *#commit(): Work {
    const prepared = this.#prepared
    if (!prepared || prepared.link !== this.#link) throw this.#error ?? notYet(this.name)
    const { link, draft } = prepared
    try {
      yield* link.copy.commit(draft)
    } catch (error) {
      this.#lose(link, error)
      throw error
    }
    this.#sequence = draft.record.sequence
    this.#queue.post(link.copy.foldIfLarge()).catch(error => this.#lose(link, error))
  }

  /** What the copy is like is not known any more: it is read again after the next connection. */
  #lose(link: ReplicaLink, error: unknown): void {
    if (this.#link !== link) return
    this.#drop(link)
    if (this.#state === 'synced') this.#fail(error)
    else this.#error = asError(error)
  }

  #drop(link: ReplicaLink): void {
    if (this.#link === link) this.#link = undefined
    this.#ending = this.#ending.then(() => link.close()).catch(() => {})
  }

  #fail(error: unknown): void {
    if (this.#state === 'closed') return
    this.#error = asError(error)
    const refused = hasCode(error, ...decisions)
    this.#change(refused ? 'refused' : 'lost')
    const delayMs = refused ? this.#backOff.mostMs : this.#backOff.nextMs()
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#attempt = this.#join().catch(error => this.#fail(error))
    })
  }

  #change(state: ArenaReplicaState): void {
    if (this.#state === state) return
    this.#state = state
    this.#options.onChange(this.status)
  }
}

/** Errors that stay until somebody decides. */
const decisions = [
  'ERR_REPLICA_AHEAD',
  'ERR_REPLICA_DIVERGED',
  'ERR_REPLICA_STRANGER',
  'ERR_ARENA_FOREIGN',
  'ERR_ARENA_DAMAGED',
  'ERR_DISK_FULL',
] as const

/** How often what was written meanwhile is sent while checkpoints go on; the rest is sent while they wait. */
const rounds = 8

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

const notYet = (name: string): RpmemError =>
  new RpmemError('ERR_TARGET_LOST', `${name} is not in step yet`, { facts: { replica: name } })
