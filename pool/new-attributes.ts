import {
  assert,
  incompatSingleHeader,
  type PoolAttributes,
  type Random,
  RpmemError,
  systemRandom,
} from '../core/index.js'
import type { PoolSet } from '../poolset/index.js'
import { ownArchFlags } from './arch-flags.js'
import { incompatChecksum2K } from './header.js'
import { ring } from './linkage.js'
import type { CreatePoolOptions } from './pool-options.js'
import { toSignature } from './signature.js'
import { newUuid } from './uuid.js'

/** What counts of a pool set. */
export interface ReplicaRing {
  readonly replicas: readonly unknown[]
  readonly options: Partial<PoolSet['options']>
}

/** For each replica of the set its own, linked all around; undefined for NOHDRS. */
export function newAttributes(set: ReplicaRing, options: CreatePoolOptions): PoolAttributes[] | undefined {
  const signature = toSignature(options.signature ?? 'RPMEM')
  const major = options.major ?? 1
  if (!Number.isInteger(major) || major < 0 || major > 0xffff_ffff) {
    throw new RpmemError('ERR_ARGUMENT', 'major is a number of 32 bits', { facts: { argument: 'major', major } })
  }
  if (set.options.noHeaders) return undefined
  const random: Random = options.random ?? systemRandom
  const poolsetUuid = newUuid(random)
  const uuids = set.replicas.map(() => newUuid(random))
  const incompat = incompatChecksum2K | (set.options.singleHeader ? incompatSingleHeader : 0)
  const shared = { signature, major, compat: 0, incompat, roCompat: 0, poolsetUuid, userFlags: ownArchFlags() }
  return ring(uuids).map(({ prev, next }, replica) => {
    const uuid = uuids[replica]
    assert(uuid, 'every replica has a UUID')
    return { ...shared, uuid, prevUuid: prev, nextUuid: next }
  })
}
