import type { ReplicaRecord } from '../core/index.js'

/**
 * What a target can do so that its copy can be trusted again after it was away. A target without it (PMDK's daemon) is compared
 * by reading everything.
 */
export interface Keeping {
  /** As the target had it when the session began; undefined for a copy that never had one. */
  readonly record: ReplicaRecord | undefined
  /** Replaces the record of the copy; durable when it resolves. */
  adopt(record: ReplicaRecord): Promise<void>
  /** What the target holds from pool offset `offset` on; `into` must stay untouched until it settles. Source: rpmem_read(3). */
  read(offset: number, into: Uint8Array): Promise<void>
  /** blockSums of the target's memory, taken after this call. */
  sums(offset: number, length: number, blockSize: number): Promise<Uint8Array>
}
