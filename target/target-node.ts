import type { Clock, Log, PoolAttributes, Random } from '../core/index.js'
import type { Fabric, Memory, ProviderReport } from '../fabric-native/index.js'
import type { RecordStore } from '../pool/index.js'
import type { SshConnection } from './ssh-connection.js'

/** A pool that is open, locked and mapped on this node. */
export interface StoredPool {
  readonly memory: Memory
  /** Bytes, header page included. */
  readonly size: number
  /** Undefined for a pool without headers. */
  readonly attributes: PoolAttributes | undefined
  /** What this copy has been through. */
  readonly record: RecordStore
  /** Replaces what the headers say, also while the pool is in use; ERR_ATTRIBUTES if that does not fit the pool. */
  setAttributes(attributes: PoolAttributes | undefined): Promise<void>
  /** Unmaps and unlocks; the parts stay. Idempotent. */
  close(): Promise<void>
  /** Closes and unlinks the parts. */
  remove(): Promise<void>
}

/** The pools of this node, by the names of their pool sets. */
export interface PoolStore {
  create(poolSet: string, size: number, attributes: PoolAttributes | undefined): Promise<StoredPool>
  open(poolSet: string, size: number): Promise<StoredPool>
}

/** What a session works with; everything that the world outside decides is handed in. */
export interface TargetNode {
  readonly store: PoolStore
  readonly fabric: Fabric
  /** Under way since the process began: loading the library takes longer than everything else. */
  readonly offers: Promise<readonly ProviderReport[]>
  readonly connection: SshConnection | undefined
  readonly apmEnabled: boolean
  /** 0: chosen by the fabric. */
  readonly threads: number
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
}
