import type { DurabilityMethod } from '../fabric-native/index.js'
import type { KeptState } from './kept-state.js'
import { type Level, levelOf } from './policy.js'
import { RecordedReplica } from './recorded-replica.js'
import type { Replica } from './replica.js'
import type { Transport } from './transport.js'

/** What a replica confirmed. */
export interface ReplicaReceipt {
  readonly name: string
  readonly kind: 'local' | 'remote'
  /** How the replica makes bytes durable; `volatile`: they survive the process but not the machine. */
  readonly method: DurabilityMethod
  /** How far the range has got there; `none` for a replica that is out of step, and before a drain. */
  readonly level: Level
}

/** What is true when an operation has succeeded. */
export class Receipt {
  /** Counts the operations of the pool that have succeeded, in the order in which they did; from 1. */
  readonly sequence: number
  /** All replicas, in the order of the pool set. */
  readonly replicas: readonly ReplicaReceipt[]

  constructor(sequence: number, replicas: readonly ReplicaReceipt[]) {
    this.sequence = sequence
    this.replicas = replicas
  }
}

/** A replica as it is now. */
export interface ReplicaStatus extends Omit<ReplicaReceipt, 'level'> {
  /** `open` and `lost` of a local replica. */
  readonly state: KeptState | 'open'
  /** What has to travel before a kept replica is in step, as far as is known. */
  readonly missingBytes: number
  /** How the data of a remote replica travels, and why so; undefined for a local one. */
  readonly transport: Transport | undefined
  /** Once it is lost. */
  readonly failure: unknown
  /** When this process last found all of it equal to the master on the way into step; ISO 8601. */
  readonly verifiedAt?: string | undefined
}

/** `reached`: a level for each replica; without it all have got as far as their storage can. An empty list: nowhere yet. */
export function receiptsOf(
  replicas: readonly Replica[],
  deep: boolean,
  reached?: readonly Level[],
): readonly ReplicaReceipt[] {
  const receipts = replicas.map(({ name, kind, method }, index) => {
    const level = reached ? (reached[index] ?? 'none') : levelOf(method, deep)
    return Object.freeze({ name, kind, method, level })
  })
  return Object.freeze(receipts)
}

export function statusOf(replica: Replica, lost: boolean): Omit<ReplicaStatus, 'transport' | 'failure'> {
  const { name, kind, method } = replica
  if (!(replica instanceof RecordedReplica)) {
    return { name, kind, method, state: lost ? 'lost' : 'open', missingBytes: 0 }
  }
  const { state, missingBytes, verifiedAt } = replica
  return { name, kind, method, state, missingBytes, verifiedAt }
}
