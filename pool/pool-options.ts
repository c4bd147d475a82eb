import type { Clock, Log, Random } from '../core/index.js'
import type { BackOffOptions } from './back-off.js'
import type { Policy } from './policy.js'
import type { RemoteConnector } from './remote-connector.js'
import type { PersistOptions } from './replica.js'
import type { Storage } from './storage.js'

export interface OpenPoolOptions {
  /** Open only a pool of this signature: up to eight ASCII characters or bytes. Default: any. */
  readonly signature?: string | Uint8Array
  /** Open only this version of the user's format. Default: any. */
  readonly major?: number
  /** How REPLICA lines with a node are reached; without it such a pool set is refused. */
  readonly connectRemote?: RemoteConnector
  /**
   * Open one replica of a mirrored pool by itself, for rescue: links to replicas that the pool set does not name are not
   * checked. What is written then is on no other replica.
   */
  readonly alone?: boolean
  readonly signal?: AbortSignal
  readonly storage?: Storage
  /**
   * What a persist needs in order to succeed; default: every replica. Whatever it is, remote replicas connect again by
   * themselves after a loss and get what they missed, for which a record and a map of what is missing lie beside the first part
   * of the pool.
   */
  readonly policy?: Policy
  readonly resync?: ResyncOptions
  /**
   * For debugging: lets `findUnpersisted` tell which bytes were stored to and never persisted. Costs a second copy of the pool in
   * memory, and a copy of each range that is persisted.
   */
  readonly trackUnpersisted?: boolean
  /** The same, and close() throws ERR_UNPERSISTED if there are any; the pool is closed all the same. */
  readonly throwUnpersisted?: boolean
  readonly random?: Random
  readonly clock?: Clock
  readonly log?: Log
}

/** How lost replicas come back. */
export interface ResyncOptions {
  /** Most bytes a second that a replica is sent while it is brought up to date; default unlimited. */
  readonly bytesPerSecond?: number
  /** Between attempts to connect again. */
  readonly backOff?: BackOffOptions
}

export interface CreatePoolOptions extends Omit<OpenPoolOptions, 'alone'> {
  /** Default 'RPMEM'. */
  readonly signature?: string | Uint8Array
  /** Version of the user's format, 0 … 2^32 - 1; default 1. */
  readonly major?: number
  /** Mode of new part files; default 0600. */
  readonly mode?: number
}

export interface PoolPersistOptions extends PersistOptions {
  /** Ends the wait of the promise forms with ERR_ABORTED; what was begun goes on. */
  readonly signal?: AbortSignal
  /** Instead of the policy of the pool, for this call. */
  readonly policy?: Policy
}

export interface CopyPersistOptions extends PoolPersistOptions {
  /** Only store, on the master; flush or persist the range later (PMEMOBJ_F_MEM_NOFLUSH). */
  readonly noFlush?: boolean
  /** Store and flush everywhere, but do not wait; drain later (PMEMOBJ_F_MEM_NODRAIN). */
  readonly noDrain?: boolean
}
