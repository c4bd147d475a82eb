import {
  assert,
  type Clock,
  type Log,
  type PoolAttributes,
  pageSize,
  RpmemError,
  systemRandom,
  zeroAttributes,
} from '../core/index.js'
import { type LocalReplicaSpec, localReplicas, type PoolSet, type RemoteReplicaSpec } from '../poolset/index.js'
import { untilAborted } from './abortable.js'
import type { AttachedKeeper } from './attached-keeper.js'
import { finishGrowth } from './interrupted-growth.js'
import type { KeptReplica, KeptReplicaOptions } from './kept-replica.js'
import { LocalReplica } from './local-replica.js'
import { newAttributes } from './new-attributes.js'
import { type Policy, termsOf } from './policy.js'
import { PoolGrowth } from './pool-growth.js'
import { goAlone } from './pool-lineage.js'
import type { CreatePoolOptions, OpenPoolOptions } from './pool-options.js'
import { checkSet, placesOf, reservationOf, setToCreate } from './pool-places.js'
import { isOutOfStep } from './recorded-replica.js'
import type { RemoteConnector, RemoteReplica } from './remote-connector.js'
import type { Replica } from './replica.js'
import { checkMeaning, checkReplicas, checkShared, type NamedAttributes } from './replica-check.js'
import { createReplicaParts, openReplicaParts, type ReplicaPartsRequest } from './replica-creation.js'
import { ReplicaKeeper } from './replica-keeper.js'
import { FileNotes } from './replica-notes.js'
import type { ReplicaParts } from './replica-parts.js'
import { toSignature } from './signature.js'
import { StatusNote, statusPath } from './status-note.js'
import type { Storage } from './storage.js'
import type { Unpersisted } from './unpersisted.js'

/** Everything a pool is made of, open and checked. */
export interface Assembly {
  /** In the order of the pool set; the first is the master. */
  readonly replicas: readonly Replica[]
  readonly master: LocalReplica
  /** Without the master. */
  readonly locals: readonly LocalReplica[]
  readonly remotes: readonly RemoteReplica[]
  /** Pool size in bytes when it was put together, header page included: that of the smallest local replica. */
  readonly size: number
  /** Of a pool that is checked for bytes that were never persisted. */
  readonly unpersisted?: Unpersisted | undefined
  readonly throwUnpersisted?: boolean | undefined
  /** True in a thread that got the pool from another. */
  readonly attached?: boolean
  /** Of a pool over directories, in the thread that opened it. */
  readonly growth?: PoolGrowth | undefined
  /** Offset of the first byte that the user may use. */
  readonly base: number
  /** Of the master; undefined for a pool without headers. */
  readonly attributes: PoolAttributes | undefined
  /** Of a pool with remote replicas. */
  readonly keeper?: ReplicaKeeper | AttachedKeeper | undefined
  readonly policy?: Policy | undefined
  /** Called before the first byte is written, if the copy may have replicas that this pool set does not name. */
  readonly goAlone?: (() => void) | undefined
  /** Default: the system's. */
  readonly clock?: Clock | undefined
  readonly log?: Log | undefined
  /** Where other processes read how the pool stands; a pool without remote replicas has none. */
  readonly statusNote?: StatusNote | undefined
}

/** Creates every replica of the set, or none: after a failure whatever this attempt made is taken back. */
export async function createAssembly(given: PoolSet, options: CreatePoolOptions & Needs): Promise<Assembly> {
  checkSet(given, options.connectRemote !== undefined)
  const set = setToCreate(given)
  const attributes = newAttributes(set, options)
  const workshop = new Workshop(set, options)
  try {
    await workshop.locals((request, replica) =>
      createReplicaParts({
        ...request,
        attributes: attributes?.[replica],
        ...(options.mode === undefined ? {} : { mode: options.mode }),
        ...(options.random ? { random: options.random } : {}),
      }),
    )
    await workshop.keep('new')
    await workshop.remotes((connector, request, replica) =>
      connector.create({ ...request, attributes: attributes?.[replica] }),
    )
    const assembly = workshop.assembly()
    // What lies there is of another pool that was at this place.
    assembly.statusNote?.remove()
    return assembly
  } catch (error) {
    await workshop.undo(true)
    throw aborted(error, options.signal)
  }
}

/** Opens every replica of the set and checks that together they are one pool that this program may use. */
export async function openAssembly(set: PoolSet, options: OpenPoolOptions & Needs): Promise<Assembly> {
  checkSet(set, options.connectRemote !== undefined)
  const workshop = new Workshop(set, options)
  try {
    await workshop.locals(async (request, replica, spec) => {
      const master = localReplicas(set)[0]
      if (replica > 0 && master) await finishGrowth(spec, master, options.storage)
      return openReplicaParts(request)
    })
    workshop.checkLocals(options)
    workshop.checkFinished()
    await workshop.keep('old')
    await workshop.reach()
    workshop.checkAll(options.alone === true)
    return workshop.assembly()
  } catch (error) {
    await workshop.undo(false)
    throw aborted(error, options.signal)
  }
}

/**
 * Opens the local replicas and reaches each remote one by itself, to look and not to write: no generation begins, no record is
 * touched. `remotes` has, in the order of the set, the replica or why it cannot be had.
 */
export async function openForComparison(set: PoolSet, options: OpenPoolOptions & Needs): Promise<Comparable> {
  checkSet(set, options.connectRemote !== undefined)
  const workshop = new Workshop(set, options)
  try {
    await workshop.locals(request => openReplicaParts(request))
    return await workshop.comparable()
  } catch (error) {
    await workshop.undo(false)
    throw aborted(error, options.signal)
  }
}

export interface Comparable {
  readonly master: LocalReplica
  readonly locals: readonly LocalReplica[]
  readonly remotes: readonly { readonly name: string; readonly outcome: PromiseSettledResult<RemoteReplica> }[]
  readonly base: number
  readonly size: number
  close(): Promise<void>
}

/** What has no default here because it must not be loaded before it is needed. */
export interface Needs {
  readonly storage: Storage
  /** The file that the set was read from. */
  readonly setFile?: string | undefined
}

type Request = Parameters<RemoteConnector['open']>[0]

/** The replicas while they are put together, by their index in the pool set. */
class Workshop {
  readonly #set: PoolSet
  readonly #options: OpenPoolOptions & Needs
  readonly #parts = new Map<number, ReplicaParts>()
  readonly #locals = new Map<number, LocalReplica>()
  readonly #remotes = new Map<number, RemoteReplica>()
  #keeper: ReplicaKeeper | undefined

  constructor(set: PoolSet, options: OpenPoolOptions & Needs) {
    this.#set = set
    this.#options = options
  }

  async locals(
    make: (request: ReplicaPartsRequest, replica: number, spec: LocalReplicaSpec) => Promise<ReplicaParts>,
  ): Promise<void> {
    for (const [index, replica] of this.#set.replicas.entries()) {
      if (replica.kind !== 'local') continue
      this.#options.signal?.throwIfAborted()
      const parts = await make(this.#partsRequest(replica), index, replica)
      const name = index === 0 ? 'master' : `local replica ${index}`
      this.#parts.set(index, parts)
      this.#locals.set(index, new LocalReplica(name, parts.memory, parts, this.#locals.get(0)?.memory))
    }
  }

  #partsRequest(replica: LocalReplicaSpec): ReplicaPartsRequest {
    const reservation = reservationOf(this.#set)
    const { storage, setFile: notesBeside } = this.#options
    const request = { parts: placesOf(replica), options: this.#set.options, storage, notesBeside }
    return reservation === undefined ? request : { ...request, reservation }
  }

  /** All targets at once; if one fails the others are still awaited, so that they can be taken back. */
  async remotes(make: (c: RemoteConnector, r: Request, replica: number) => Promise<RemoteReplica>): Promise<void> {
    const signal = this.#options.signal
    const connecting = this.#lines().map(async ([index, replica]) => {
      const request = this.#request(replica, signal)
      const remote = await make(this.#connector, request, index)
      this.#remotes.set(index, remote)
      const keeper = this.#keeper
      assert(keeper, 'remote replicas are kept')
      this.#remotes.set(index, await this.#adopt(keeper, remote, replica))
    })
    const failed = (await Promise.allSettled(connecting)).find(outcome => outcome.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** What keeps the remote replicas, if there are any. */
  async keep(origin: 'new' | 'old'): Promise<void> {
    const { policy = {}, resync, storage, clock, random, log } = this.#options
    termsOf(policy, this.#set.replicas.length)
    if (this.#lines().length === 0) return
    const beside = this.#parts.get(0)?.notesBeside
    assert(beside !== undefined, 'the master is open')
    const base = this.#attributes ? pageSize : 0
    const notes = new FileNotes(beside, storage)
    const request = { notes, memory: this.#master.memory, base, size: this.#size, resync, clock, random, log }
    this.#keeper = origin === 'new' ? ReplicaKeeper.create(request) : ReplicaKeeper.open(request)
  }

  /** Opens the remote replicas; those that cannot be reached are tried again later, if the policy can do without them. */
  async reach(): Promise<void> {
    const keeper = this.#keeper
    if (!keeper) return
    const kept = await Promise.all(
      this.#lines().map(async ([index, replica]) => {
        const one = await keeper.keep(nameOf(replica), 'old', this.#reconnect(replica))
        this.#remotes.set(index, one)
        return one
      }),
    )
    const { minDurable } = termsOf(this.#options.policy ?? {}, this.#set.replicas.length)
    const others = this.#locals.size
    const enough = () => others + kept.filter(({ inStep }) => inStep).length >= minDurable
    const { signal } = this.#options
    const wait = (work: Promise<unknown>) => (signal ? untilAborted(work, signal) : work)
    await wait(Promise.all(kept.map(one => one.begin())))
    while (!enough()) {
      const hopeless = kept.find(({ state }) => state === 'lost' || state === 'refused')
      if (hopeless) throw hopeless.failure
      await wait(Promise.race(kept.filter(({ inStep }) => !inStep).map(one => one.nextChange())))
    }
  }

  /** The claim keeps a target from noting that somebody without records has written to its copy. */
  async comparable(): Promise<Comparable> {
    const claim = this.#parts.get(0)?.record.read()
    const { signal } = this.#options
    const lines = this.#lines()
    const opening = lines.map(async ([index, replica]) => {
      const remote = await this.#connector.open({ ...this.#request(replica, signal), claim })
      this.#remotes.set(index, remote)
      return remote
    })
    const outcomes = await Promise.allSettled(opening)
    const [, ...locals] = this.#locals.values()
    return {
      master: this.#master,
      locals,
      remotes: lines.flatMap(([, replica], index) => {
        const outcome = outcomes[index]
        return outcome ? [{ name: nameOf(replica), outcome }] : []
      }),
      base: this.#attributes ? pageSize : 0,
      size: this.#size,
      close: () => this.undo(false),
    }
  }

  async #adopt(keeper: ReplicaKeeper, remote: RemoteReplica, replica: RemoteReplicaSpec): Promise<KeptReplica> {
    const kept = await keeper.keep(nameOf(replica), 'new', this.#reconnect(replica))
    await kept.beginWith(remote)
    return kept
  }

  #reconnect(replica: RemoteReplicaSpec): KeptReplicaOptions['connect'] {
    const connector = this.#connector
    const request = this.#request(replica, undefined)
    const attributes = this.#attributes
    return async (claim, signal) => {
      const remote = await connector.open({ ...request, claim, signal })
      if (!attributes) return remote
      try {
        checkShared(
          { name: nameOf(replica), attributes: remote.attributes ?? zeroAttributes() },
          { name: 'master', attributes },
        )
        return remote
      } catch (error) {
        await remote.close().catch(() => {})
        throw error
      }
    }
  }

  #lines(): [number, RemoteReplicaSpec][] {
    return [...this.#set.replicas.entries()].flatMap(([index, replica]) =>
      replica.kind === 'remote' ? [[index, replica] as [number, RemoteReplicaSpec]] : [],
    )
  }

  #request({ node, set }: RemoteReplicaSpec, signal: AbortSignal | undefined): Request {
    const claim = this.#keeper && {
      lineage: this.#keeper.lineage.lineage,
      closed: false,
      syncing: false,
      touched: false,
    }
    const request = { node, set, memory: this.#master.memory, size: this.#size, claim }
    return signal ? { ...request, signal } : request
  }

  get #connector(): RemoteConnector {
    const connector = this.#options.connectRemote
    assert(connector, 'a set with remote replicas has a connector')
    return connector
  }

  checkLocals(options: OpenPoolOptions): void {
    const attributes = this.#attributes
    if (!attributes) return
    const signature = options.signature === undefined ? undefined : toSignature(options.signature)
    checkMeaning({ name: 'master', attributes }, { signature, major: options.major })
  }

  /** A copy that was being made or brought up to date is of no one moment: nobody may work on it or count on it. */
  checkFinished(): void {
    for (const [index, parts] of this.#parts) {
      if (index > 0 && parts.notesBeside === this.#parts.get(0)?.notesBeside) continue
      if (parts.record.read()?.syncing) throw unfinished(this.#locals.get(index)?.name ?? 'the copy')
    }
  }

  /** The links of a replica that is away cannot be checked; that it belongs to the pool is, when it comes back. */
  checkAll(alone: boolean): void {
    if (!this.#attributes || (alone && this.#set.replicas.length === 1)) return
    const [master, ...others] = [...this.#parts.keys()].map(index => this.#named(index))
    if ([...this.#remotes.values()].some(isOutOfStep)) for (const other of others) checkShared(other, master)
    else checkReplicas(this.#set.replicas.map((_, index) => this.#named(index)))
  }

  assembly(): Assembly {
    const [, ...locals] = this.#locals.values()
    const attributes = this.#attributes
    return {
      replicas: this.#set.replicas.map((_, index) => this.#replica(index)),
      master: this.#master,
      locals,
      remotes: [...this.#remotes.entries()].sort(([left], [right]) => left - right).map(([, remote]) => remote),
      size: this.#size,
      base: attributes ? pageSize : 0,
      attributes,
      growth: this.#growth(),
      keeper: this.#keeper,
      policy: this.#options.policy,
      goAlone: this.#goAlone(),
      clock: this.#options.clock,
      log: this.#options.log,
      statusNote: this.#statusNote(),
    }
  }

  #statusNote(): StatusNote | undefined {
    const beside = this.#remotes.size > 0 ? this.#parts.get(0)?.notesBeside : undefined
    return beside === undefined ? undefined : new StatusNote(statusPath(beside))
  }

  #goAlone(): (() => void) | undefined {
    const record = this.#parts.get(0)?.record
    const { random = systemRandom } = this.#options
    return this.#keeper || !record?.read() ? undefined : () => goAlone(record, random)
  }

  #growth(): PoolGrowth | undefined {
    const reservation = reservationOf(this.#set)
    return reservation === undefined ? undefined : new PoolGrowth(this.#set, [...this.#parts.values()], reservation)
  }

  /** `remove`: what was made is taken back, the replicas on the targets first. Every step is tried. */
  async undo(remove: boolean): Promise<void> {
    const remotes = [...this.#remotes.values()].map(remote => remote.close({ remove }))
    await Promise.allSettled(remotes)
    if (this.#keeper) await Promise.allSettled([remove ? this.#keeper.remove() : this.#keeper.close()])
    const locals = [...this.#parts.values()].map(parts => (remove ? parts.remove() : parts.close()))
    await Promise.allSettled(locals)
  }

  get #master(): LocalReplica {
    const master = this.#locals.get(0)
    assert(master, 'the first replica of a set is local')
    return master
  }

  /** Of the master. */
  get #attributes(): PoolAttributes | undefined {
    return this.#parts.get(0)?.attributes
  }

  get #size(): number {
    return Math.min(...[...this.#parts.values()].map(parts => parts.size))
  }

  #replica(index: number): Replica {
    const replica = this.#locals.get(index) ?? this.#remotes.get(index)
    assert(replica, 'every replica of the set is open')
    return replica
  }

  #named(index: number): NamedAttributes {
    const { name } = this.#replica(index)
    const attributes = this.#parts.get(index)?.attributes ?? this.#remotes.get(index)?.attributes
    if (attributes) return { name, attributes }
    throw new RpmemError('ERR_ATTRIBUTES', `${name} has no headers, the master has`, { facts: { replica: name } })
  }
}

const unfinished = (name: string): RpmemError =>
  new RpmemError('ERR_RECORD', `${name} was being made or brought up to date, and that has not ended`, {
    facts: { replica: name },
    hint: '`rpmem sync SET` goes on with a replica that was behind, `rpmem restore SET` with one that was being made.',
  })

const nameOf = ({ node, set }: RemoteReplicaSpec): string => `${node} ${set}`

function aborted(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted || error !== signal.reason) return error
  return RpmemError.wrap('ERR_ABORTED', 'the caller aborted the attempt', error)
}
