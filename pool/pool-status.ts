import type { DurabilityMethod } from '../fabric-native/index.js'
import type { KeptState } from './kept-state.js'
import type { LatencySnapshot } from './latency.js'
import type { PoolState } from './pool.js'
import type { ProcessIdentity } from './process-identity.js'
import type { ResyncProgress } from './resync.js'
import type { Transport } from './transport.js'

/** A pool as the process that has it open, or had it open last, saw it. Plain data: what `pool.status()` gives and what is noted. */
export interface PoolStatus {
  readonly state: PoolState
  /** Bytes that the user may use. */
  readonly size: number
  readonly process: ProcessIdentity
  /** ISO 8601, by the clock of that process, as all times here. */
  readonly openedAt: string
  readonly notedAt: string
  /** In the order of the pool set, the master first. */
  readonly replicas: readonly ReplicaReport[]
  /** The latest, oldest first; numbered without gaps from one process to the next. */
  readonly changes: readonly PoolChange[]
}

export interface ReplicaReport {
  readonly name: string
  readonly kind: 'local' | 'remote'
  /** `open` and `lost` of a local replica. */
  readonly state: KeptState | 'open'
  readonly method: DurabilityMethod
  /** Of a remote replica: how its data travels, or did when it was connected last, and why so. */
  readonly transport?: Transport | undefined
  /** What has to travel before it is in step, as far as is known. */
  readonly missingBytes: number
  /** Why it is lost or refused: codes and messages. */
  readonly failure?: string | undefined
  /** When all of it was last found equal to the master, checksum by checksum. */
  readonly verifiedAt?: string | undefined
  /** Attempts to connect again since the pool was opened. */
  readonly retries: number
  /** While it is being brought up to date. */
  readonly resync?: ResyncProgress | undefined
  /** Of persists, until this replica had answered. Of a remote replica. */
  readonly latency?: LatencySnapshot | undefined
}

/** One line of the history of a pool. */
export interface PoolChange {
  readonly sequence: number
  readonly at: string
  /** Undefined: the pool itself. */
  readonly replica?: string | undefined
  readonly state: KeptState | PoolState
  readonly failure?: string | undefined
  /** Of `lost` and `refused`: the time until the next attempt. */
  readonly nextAttemptMs?: number | undefined
}
