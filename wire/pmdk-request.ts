import type { PoolAttributes } from '../core/index.js'
import type { PmdkProvider } from './pmdk-layout.js'
import type { PmdkRefusal } from './pmdk-status.js'
import { poolSetPathRule } from './pool-set-name.js'

/** Message types that the initiator sends; the type of each answer is one higher. */
export const pmdkRequestTypes = { create: 1, open: 3, close: 5, setAttributes: 7 } as const
export type PmdkRequestType = keyof typeof pmdkRequestTypes

export interface PmdkOpen {
  readonly type: 'open'
  readonly poolSize: number
  readonly lanes: number
  readonly provider: PmdkProvider
  /** Capacity for inline data. */
  readonly bufferSize: number
  readonly poolSet: string
}

export interface PmdkCreate extends Omit<PmdkOpen, 'type'> {
  readonly type: 'create'
  /** Undefined travels as a block of zeros, and a block of zeros is read as undefined. */
  readonly attributes: PoolAttributes | undefined
}

export interface PmdkClose {
  readonly type: 'close'
  /** Remove the pool, if this session created it. */
  readonly remove: boolean
}

export interface PmdkSetAttributes {
  readonly type: 'setAttributes'
  readonly attributes: PoolAttributes | undefined
}

export type PmdkRequest = PmdkCreate | PmdkOpen | PmdkClose | PmdkSetAttributes

/** A request that is well formed but that no target can serve: what to answer, or undefined. */
export function pmdkRefusalOf(request: PmdkCreate | PmdkOpen): PmdkRefusal | undefined {
  if (poolSetPathRule(request.poolSet) !== undefined) return 'BADNAME'
  return request.lanes === 0 ? 'BADNLANES' : undefined
}
