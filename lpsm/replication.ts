import { type Clock, type Random, RpmemError, systemClock, systemRandom } from '../core/index.js'
import { PersistError, type RemoteConnector, type ReplicaFailure } from '../pool/index.js'
import { ArenaReplica, type ArenaReplicaStatus, type ReplicaSource } from './arena-replica.js'
import type { CheckpointSink } from './checkpoint-sink.js'

export interface ArenaReplicationOptions {
  /** '[user@]host[:port] arena.set' each, as in a REPLICA line: a pool set below the poolset-dir of that node. */
  readonly replicas?: readonly string[]
  /**
   * `throw`: a checkpoint that is not durable on every replica fails, and so does opening the arena while one cannot be reached.
   * `degrade`: it is enough that it is durable here. Default `throw`.
   */
  readonly onReplicaLost?: 'throw' | 'degrade'
  /** Bytes up to which a replica that is made now can take the arena; it needs three and a half times as much. Default: its size. */
  readonly replicaCapacity?: number
  /** How the nodes are reached. */
  readonly connectRemote?: RemoteConnector
  readonly clock?: Clock
  readonly random?: Random
}

/** Checked options. */
export interface ReplicationSettings {
  readonly replicas: readonly { readonly node: string; readonly set: string }[]
  readonly required: boolean
  readonly capacity: number | undefined
  readonly connector: RemoteConnector | undefined
  readonly clock: Clock
  readonly random: Random
}

/** @throws ERR_ARGUMENT */
export function replicationSettings(options: ArenaReplicationOptions): ReplicationSettings {
  const { replicas = [], onReplicaLost = 'throw', replicaCapacity, connectRemote, ...ports } = options
  const places = replicas.map(placeOf)
  if (onReplicaLost !== 'throw' && onReplicaLost !== 'degrade') {
    throw wrong("onReplicaLost is 'throw' or 'degrade'", { onReplicaLost: String(onReplicaLost) })
  }
  if (new Set(replicas.map(one => one.trim())).size < replicas.length)
    throw wrong('each replica is named once', { replicas })
  if (places.length > 0 && !connectRemote) throw wrong('replicas need connectRemote, the way to their nodes', {})
  const { clock = systemClock, random = systemRandom } = ports
  const required = onReplicaLost === 'throw'
  return { replicas: places, required, capacity: replicaCapacity, connector: connectRemote, clock, random }
}

function placeOf(replica: string): { node: string; set: string } {
  const [node, set, ...more] = typeof replica === 'string' ? replica.trim().split(/\s+/) : []
  if (node && set && more.length === 0) return { node, set }
  throw wrong('a replica is a node and a pool set, such as user@node2 arena.set', { replica: String(replica) })
}

const wrong = (rule: string, facts: Record<string, string | readonly string[]>): RpmemError =>
  new RpmemError('ERR_ARGUMENT', rule, { facts })

/** The replicas of one arena. */
export class Replication {
  readonly replicas: readonly ArenaReplica[]
  readonly #required: boolean

  constructor(settings: ReplicationSettings, source: ReplicaSource, onChange: (status: ArenaReplicaStatus) => void) {
    const { connector, required, clock, random } = settings
    this.#required = required
    const shared = { source, required, clock, random, onChange }
    this.replicas = connector
      ? settings.replicas.map(place => new ArenaReplica({ ...place, ...shared, connector }))
      : []
  }

  /** Resolves when every replica is in step; with `degrade` those that are not come later. */
  async begin(): Promise<void> {
    const outcomes = await Promise.allSettled(this.replicas.map(replica => replica.begin()))
    const failures = outcomes.flatMap((outcome, index) => {
      const replica = this.replicas[index]
      return outcome.status === 'rejected' && replica ? [{ replica, error: outcome.reason }] : []
    })
    if (failures.length === 0) return
    const [first] = failures
    if (this.#required) throw first?.error
    for (const { replica, error } of failures) replica.later(error)
  }

  async close(): Promise<void> {
    await Promise.all(this.replicas.map(replica => replica.close()))
  }
}

/** The error of a checkpoint that is durable here and was to be elsewhere too; undefined if none was required to. */
export function missingOn(failures: readonly { sink: CheckpointSink; error: unknown }[]): PersistError | undefined {
  const causes: ReplicaFailure[] = failures
    .filter(({ sink }) => sink.required)
    .map(({ sink, error }) => ({ replica: sink.name, error }))
  return causes.length > 0 ? new PersistError(causes, 'local') : undefined
}
