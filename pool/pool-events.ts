export interface ReplicaLoss {
  readonly replica: string
  readonly kind: 'local' | 'remote'
  readonly error: unknown
}

export interface PoolEvents {
  'replica-lost': [loss: ReplicaLoss]
  closed: []
}
