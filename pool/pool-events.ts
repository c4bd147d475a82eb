import type { KeptChange } from './kept-state.js'
import type { ResyncProgress } from './resync.js'

export interface ReplicaLoss {
  readonly replica: string
  readonly kind: 'local' | 'remote'
  readonly error: unknown
}

/** A kept replica is in another state than before. */
export interface ReplicaChange extends KeptChange {
  readonly replica: string
}

export interface ReplicaProgress extends ResyncProgress {
  readonly replica: string
}

export interface PoolEvents {
  'replica-state': [change: ReplicaChange]
  'resync-progress': [progress: ReplicaProgress]
  'replica-lost': [loss: ReplicaLoss]
  closed: []
}
