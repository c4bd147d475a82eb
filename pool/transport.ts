import type { PersistMethod, ProviderName } from '../fabric-native/index.js'

/** The path that the data of a remote replica takes, and why. */
export interface Transport {
  readonly provider: ProviderName
  readonly persistMethod: PersistMethod
  /** One for each candidate, in the order of preference. */
  readonly why: readonly TransportReason[]
}

/** Why a provider was chosen or passed over. */
export interface TransportReason {
  readonly provider: ProviderName
  readonly chosen: boolean
  readonly reason: string
}
