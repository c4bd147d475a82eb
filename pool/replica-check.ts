import { assert, type PoolAttributes } from '../core/index.js'
import { ownArchFlags } from './arch-flags.js'
import { knownIncompat } from './header.js'
import { invalid } from './header-check.js'
import { ring } from './linkage.js'
import { uuidsEqual } from './uuid.js'

/** A replica by the name that people know it under, and what its first header says. */
export interface NamedAttributes {
  readonly name: string
  readonly attributes: PoolAttributes
}

/** What the opener knows of the pool beforehand; undefined: anything. */
export interface Expected {
  readonly signature?: Uint8Array | undefined
  readonly major?: number | undefined
}

const numbers = ['major', 'compat', 'incompat', 'roCompat'] as const
const blocks = ['signature', 'poolsetUuid', 'userFlags'] as const

/** May this program use a pool of that kind? Unknown incompat bits, read-only bits and foreign machines say no. */
export function checkMeaning({ name, attributes }: NamedAttributes, expected: Expected): void {
  const { signature, major } = expected
  if (signature && !uuidsEqual(signature, attributes.signature)) {
    throw invalid(name, 'signature', 'the pool has another signature')
  }
  if (major !== undefined && major !== attributes.major) {
    throw invalid(name, 'major', `the format of the pool is ${attributes.major}, not ${major}`)
  }
  if (attributes.incompat & ~knownIncompat) throw invalid(name, 'incompat', 'the pool needs a feature unknown here')
  if (attributes.roCompat) throw invalid(name, 'roCompat', 'the pool may only be read by this program')
  if (!uuidsEqual(attributes.userFlags, ownArchFlags())) {
    throw invalid(name, 'archFlags', 'the pool was made on another kind of machine')
  }
}

/**
 * Do these replicas, in the order of the pool set, make one pool? Same signature, format, features, machine and set, and
 * links to each other all around (reference pool-format 5).
 */
export function checkReplicas(replicas: readonly NamedAttributes[]): void {
  for (const replica of replicas) checkShared(replica, replicas[0])
  const links = ring(replicas.map(({ attributes }) => attributes.uuid))
  const before = 'the replica before it in the pool set is another than it was created with'
  const behind = 'the replica behind it in the pool set is another than it was created with'
  for (const [index, { name, attributes }] of replicas.entries()) {
    const link = links[index]
    assert(link, 'every replica has its place in the ring')
    if (!uuidsEqual(attributes.prevUuid, link.prev)) throw invalid(name, 'prevReplicaUuid', before)
    if (!uuidsEqual(attributes.nextUuid, link.next)) throw invalid(name, 'nextReplicaUuid', behind)
  }
}

/** Is it a replica of the same pool as the master, whatever its place in the ring? */
export function checkShared({ name, attributes }: NamedAttributes, master: NamedAttributes | undefined): void {
  if (!master) return
  for (const field of numbers) {
    if (attributes[field] !== master.attributes[field]) throw invalid(name, field, `${field} differs from the master's`)
  }
  for (const field of blocks) {
    const equal = uuidsEqual(attributes[field], master.attributes[field])
    if (!equal) throw invalid(name, field, `${field} differs from the master's`)
  }
}
