import type { DurabilityMethod } from '../fabric-native/index.js'
import type { Transport } from './transport.js'

/**
 * One full copy of the pool as Pool sees it. The master and local replicas implement it over mapped parts, remote ones (room
 * initiator) over lanes. Offsets count from pool offset 0, header page included; the range was checked by Pool.
 */
export interface Replica {
  /** For people: 'local replica 1', 'node2 remote.set'. */
  readonly name: string
  readonly kind: 'local' | 'remote'
  readonly method: DurabilityMethod
  /** Of a remote replica. */
  readonly transport?: Transport | undefined
  /** Set once this replica can no longer be trusted or reached; later operations throw it. */
  readonly failure: Error | undefined

  /** Begins to make the range durable as the master holds it now; all replicas start before any is awaited. */
  start(offset: number, length: number, options: PersistOptions): Persisting
  /** Queues the range; durable after drain. */
  flush(offset: number, length: number, options: PersistOptions): void
  drainSync(options: PersistOptions): void
  drain(options: PersistOptions): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}

export interface PersistOptions {
  /**
   * Of remote replicas; default: that of the thread, 0 for the one that opened the pool. Lanes are unordered among themselves:
   * operations under way at the same time on ranges that overlap belong on one lane, or the older bytes may arrive last.
   */
  readonly lane?: number
  readonly relaxed?: boolean
  readonly deep?: boolean
  /** Milliseconds until the call settles; default 3000. */
  readonly deadlineMs?: number
}

/** A persist under way on one replica; redeemed exactly once. */
export interface Persisting {
  finishSync(): void
  finish(): Promise<void>
}
