import type { PoolAttributes, ReplicaRecord } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import type { Keeping } from './keeping.js'
import type { Replica } from './replica.js'

/** One REPLICA line that is to become a replica. */
export interface RemoteRequest {
  /** `[user@]host[:port]`, as in the pool set. */
  readonly node: string
  /** Name of the pool set on the target, relative to its poolset-dir. */
  readonly set: string
  /** The master's memory: data is taken from it at the same offsets. It outlives the replica. */
  readonly memory: Memory
  /** Bytes mirrored, from pool offset 0; a multiple of the page size. */
  readonly size: number
  /** What the master has been through; the target refuses one that its own copy has left behind. */
  readonly claim?: ReplicaRecord | undefined
  /** Ends the attempt; what it created is undone. */
  readonly signal?: AbortSignal
}

export interface CreateRemoteRequest extends RemoteRequest {
  /** For the headers on the target, links included; undefined for a pool without headers. */
  readonly attributes: PoolAttributes | undefined
}

/** A replica on a target. */
export interface RemoteReplica extends Replica {
  /** Undefined where the target has no words for it. */
  readonly keeping?: Keeping | undefined
  /** As the headers on the target have them; undefined for a pool without headers. */
  readonly attributes: PoolAttributes | undefined
  /** Called at most once, when the target is lost other than by close(), also while nothing is under way. */
  onLost(listener: (error: Error) => void): void
  /** For AttachRemote in another thread of this process; can be posted there. */
  share(): unknown
  /** Idempotent. `remove` takes back a pool that this session created. */
  close(options?: { readonly remove?: boolean }): Promise<void>
}

/** How a pool reaches its remote replicas; implemented over SSH and lanes by the initiator. */
export interface RemoteConnector {
  create(request: CreateRemoteRequest): Promise<RemoteReplica>
  open(request: RemoteRequest): Promise<RemoteReplica>
}

/** The replica that another thread of this process shared, with its name and what its share() gave. ERR_CLOSED. */
export type AttachRemote = (name: string, connection: unknown) => RemoteReplica
