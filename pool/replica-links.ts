import { type PoolAttributes, RpmemError } from '../core/index.js'
import { ring } from './linkage.js'

/**
 * The identifiers of all replicas of a set, in its order, from the headers of those that can be read: each names its neighbours.
 * Undefined where neither it nor a neighbour can be read.
 */
export function knownUuids(headers: readonly (PoolAttributes | undefined)[]): (Uint8Array | undefined)[] {
  const count = headers.length
  const uuids = new Array<Uint8Array | undefined>(count)
  for (const [index, attributes] of headers.entries()) {
    if (!attributes) continue
    uuids[(index + count - 1) % count] ??= attributes.prevUuid
    uuids[(index + 1) % count] ??= attributes.nextUuid
  }
  // What a replica says of itself counts more.
  for (const [index, attributes] of headers.entries()) if (attributes) uuids[index] = attributes.uuid
  return uuids
}

/** The attributes of the replica at `index` in a ring of these identifiers; everything else is that of `like`. */
export function attributesAt(index: number, uuids: readonly Uint8Array[], like: PoolAttributes): PoolAttributes {
  const uuid = uuids[index]
  const link = ring(uuids)[index]
  if (!uuid || !link) throw new RpmemError('ERR_ARGUMENT', `the ring has no replica ${index}`, { facts: { index } })
  return { ...like, uuid, prevUuid: link.prev, nextUuid: link.next }
}
