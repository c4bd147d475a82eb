import { assert, type PoolAttributes, pageSize, RpmemError } from '../core/index.js'
import type { PoolSet } from '../poolset/index.js'
import type { PartPlace } from './layout.js'
import { LocalReplica } from './local-replica.js'
import { newAttributes } from './new-attributes.js'
import type { CreatePoolOptions, OpenPoolOptions } from './pool-options.js'
import { checkSet, placesOf } from './pool-places.js'
import type { RemoteConnector, RemoteReplica } from './remote-connector.js'
import type { Replica } from './replica.js'
import { checkMeaning, checkReplicas, type NamedAttributes } from './replica-check.js'
import { createReplicaParts, openReplicaParts } from './replica-creation.js'
import type { ReplicaParts } from './replica-parts.js'
import { toSignature } from './signature.js'
import type { Storage } from './storage.js'

/** Everything a pool is made of, open and checked. */
export interface Assembly {
  /** In the order of the pool set; the first is the master. */
  readonly replicas: readonly Replica[]
  readonly master: LocalReplica
  /** Without the master. */
  readonly locals: readonly LocalReplica[]
  readonly remotes: readonly RemoteReplica[]
  /** Pool size in bytes, header page included: that of the smallest local replica. */
  readonly size: number
  /** Offset of the first byte that the user may use. */
  readonly base: number
  /** Of the master; undefined for a pool without headers. */
  readonly attributes: PoolAttributes | undefined
}

/** Creates every replica of the set, or none: after a failure whatever this attempt made is taken back. */
export async function createAssembly(set: PoolSet, options: CreatePoolOptions & Needs): Promise<Assembly> {
  checkSet(set, 'create', options.connectRemote !== undefined)
  const attributes = newAttributes(set, options)
  const workshop = new Workshop(set, options)
  try {
    await workshop.locals((parts, replica) =>
      createReplicaParts({
        parts,
        options: set.options,
        storage: options.storage,
        attributes: attributes?.[replica],
        ...(options.mode === undefined ? {} : { mode: options.mode }),
        ...(options.random ? { random: options.random } : {}),
      }),
    )
    await workshop.remotes((connector, request, replica) =>
      connector.create({ ...request, attributes: attributes?.[replica] }),
    )
    return workshop.assembly()
  } catch (error) {
    await workshop.undo(true)
    throw aborted(error, options.signal)
  }
}

/** Opens every replica of the set and checks that together they are one pool that this program may use. */
export async function openAssembly(set: PoolSet, options: OpenPoolOptions & Needs): Promise<Assembly> {
  checkSet(set, 'open', options.connectRemote !== undefined)
  const workshop = new Workshop(set, options)
  try {
    await workshop.locals(parts => openReplicaParts({ parts, options: set.options, storage: options.storage }))
    workshop.checkLocals(options)
    await workshop.remotes((connector, request) => connector.open(request))
    workshop.checkAll(options.alone === true)
    return workshop.assembly()
  } catch (error) {
    await workshop.undo(false)
    throw aborted(error, options.signal)
  }
}

/** What has no default here because it must not be loaded before it is needed. */
export interface Needs {
  readonly storage: Storage
}

type Request = Parameters<RemoteConnector['open']>[0]

/** The replicas while they are put together, by their index in the pool set. */
class Workshop {
  readonly #set: PoolSet
  readonly #options: OpenPoolOptions
  readonly #parts = new Map<number, ReplicaParts>()
  readonly #locals = new Map<number, LocalReplica>()
  readonly #remotes = new Map<number, RemoteReplica>()

  constructor(set: PoolSet, options: OpenPoolOptions) {
    this.#set = set
    this.#options = options
  }

  async locals(make: (parts: PartPlace[], replica: number) => Promise<ReplicaParts>): Promise<void> {
    for (const [index, replica] of this.#set.replicas.entries()) {
      if (replica.kind !== 'local') continue
      this.#options.signal?.throwIfAborted()
      const parts = await make(placesOf(replica), index)
      const name = index === 0 ? 'master' : `local replica ${index}`
      this.#parts.set(index, parts)
      this.#locals.set(index, new LocalReplica(name, parts.memory, parts, this.#locals.get(0)?.memory))
    }
  }

  /** All targets at once; if one fails the others are still awaited, so that they can be taken back. */
  async remotes(make: (c: RemoteConnector, r: Request, replica: number) => Promise<RemoteReplica>): Promise<void> {
    const connector = this.#options.connectRemote
    const signal = this.#options.signal
    const connecting = [...this.#set.replicas.entries()].map(async ([index, replica]) => {
      if (replica.kind !== 'remote') return
      assert(connector, 'a set with remote replicas has a connector')
      const request = { node: replica.node, set: replica.set, memory: this.#master.memory, size: this.#size }
      this.#remotes.set(index, await make(connector, signal ? { ...request, signal } : request, index))
    })
    const failed = (await Promise.allSettled(connecting)).find(outcome => outcome.status === 'rejected')
    if (failed) throw failed.reason
  }

  checkLocals(options: OpenPoolOptions): void {
    const attributes = this.#attributes
    if (!attributes) return
    const signature = options.signature === undefined ? undefined : toSignature(options.signature)
    checkMeaning({ name: 'master', attributes }, { signature, major: options.major })
  }

  checkAll(alone: boolean): void {
    if (!this.#attributes || (alone && this.#set.replicas.length === 1)) return
    checkReplicas(this.#set.replicas.map((_, index) => this.#named(index)))
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
    }
  }

  /** `remove`: what was made is taken back, the replicas on the targets first. Every step is tried. */
  async undo(remove: boolean): Promise<void> {
    const remotes = [...this.#remotes.values()].map(remote => remote.close({ remove }))
    await Promise.allSettled(remotes)
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

function aborted(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted || error !== signal.reason) return error
  return RpmemError.wrap('ERR_ABORTED', 'the caller aborted the attempt', error)
}
