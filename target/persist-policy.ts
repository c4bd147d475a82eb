import type { Dialect, DurabilityMethod, PersistMethod, ProviderName } from '../fabric-native/index.js'

export interface PersistCircumstances {
  /** rpmemd(1), option --persist-apm. */
  readonly apmEnabled: boolean
  readonly durability: DurabilityMethod
  readonly dialect: Dialect
  readonly provider: ProviderName
}

export interface PersistChoice {
  readonly method: PersistMethod
  /** Why this and not the other, for the log. */
  readonly why: string
}

/**
 * The persistency method of a replica. A read after the writes makes them durable only where the network card writes past
 * the CPU, to DAX: over tcp and sockets a CPU of the target copies the bytes, into its caches. PMDK's rpmemd asks only for
 * DAX, and its initiators expect that (reference rpmem-protocol B5).
 */
export function choosePersistMethod(circumstances: PersistCircumstances): PersistChoice {
  const against = reasonAgainstApm(circumstances)
  return against === undefined
    ? { method: 'APM', why: 'allowed by persist-apm, and the pool lies on DAX' }
    : { method: 'GPSPM', why: against }
}

function reasonAgainstApm({ apmEnabled, durability, dialect, provider }: PersistCircumstances): string | undefined {
  if (!apmEnabled) return 'persist-apm is not set'
  if (durability !== 'dax') return 'no APM: the pool does not lie on DAX'
  if (dialect === 'rpmem' && provider !== 'verbs') return `no APM: over ${provider} the CPU copies what arrives`
  return undefined
}
