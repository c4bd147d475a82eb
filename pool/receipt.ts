import type { DurabilityMethod } from '../fabric-native/index.js'
import type { Replica } from './replica.js'
import type { Transport } from './transport.js'

/** What confirmed a persist. */
export interface ReplicaReceipt {
  readonly name: string
  readonly kind: 'local' | 'remote'
  /** How the replica makes bytes durable; `volatile`: they survive the process but not the machine. */
  readonly method: DurabilityMethod
}

export interface Receipt {
  /** All replicas, in the order of the pool set. */
  readonly replicas: readonly ReplicaReceipt[]
}

/** A replica as it is now. */
export interface ReplicaStatus extends ReplicaReceipt {
  /** How the data of a remote replica travels, and why so; undefined for a local one. */
  readonly transport: Transport | undefined
  /** Once it is lost. */
  readonly failure: unknown
}

export const receiptOf = ({ name, kind, method }: Replica): ReplicaReceipt => ({ name, kind, method })
