import type { DurabilityMethod, PersistMethod } from '../fabric-native/index.js'

/**
 * The persistency method of a replica, as PMDK's rpmemd chooses it (rpmemd(1), option --persist-apm): a read after the
 * writes makes them durable only where nothing but caches lies between the network card and the medium, that is on DAX.
 */
export function choosePersistMethod(apmEnabled: boolean, durability: DurabilityMethod): PersistMethod {
  return apmEnabled && durability === 'dax' ? 'APM' : 'GPSPM'
}
