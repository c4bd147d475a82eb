import {
  assert,
  attributesAreZero,
  incompatSingleHeader,
  type PoolAttributes,
  type Random,
  RpmemError,
  systemRandom,
} from '../core/index.js'
import { ownArchFlags } from './arch-flags.js'
import type { PartHeader } from './header.js'
import type { HeaderOptions } from './layout.js'
import { ring } from './linkage.js'
import { shutdownState } from './shutdown-state.js'
import { newUuid, uuidIsZero } from './uuid.js'

/**
 * Which attributes go with which options (reference pool-format 3.2): none with NOHDRS, else some, with the SINGLEHDR bit
 * equal to the option. 104 zero bytes count as none. Anything else is ERR_ATTRIBUTES.
 */
export function checkAttributes(attributes: PoolAttributes | undefined, options: HeaderOptions): void {
  const given = attributes !== undefined && !attributesAreZero(attributes)
  if (given && options.noHeaders) throw contradiction('the pool has no headers (NOHDRS) that could hold attributes')
  if (!given && !options.noHeaders) throw contradiction('a pool with headers needs attributes')
  if (given && !options.noHeaders) checkSingleHeader(attributes, options)
}

function checkSingleHeader(attributes: PoolAttributes, options: HeaderOptions): void {
  const bit = (attributes.incompat & incompatSingleHeader) !== 0
  if (bit === options.singleHeader) return
  throw contradiction(
    bit
      ? 'the attributes say SINGLEHDR, the pool set does not'
      : 'the pool set says SINGLEHDR, the attributes do not say it in incompat bit 0x1',
  )
}

/**
 * The attributes as a new pool will show them (3.1): what is zero is filled in, UUIDs by fresh ones, replica links by the
 * replica's own UUID, and the flags by those of this machine.
 */
export function completeAttributes(attributes: PoolAttributes, random: Random = systemRandom): PoolAttributes {
  const or = (value: Uint8Array, make: () => Uint8Array) => (uuidIsZero(value) ? make() : value)
  const uuid = or(attributes.uuid, () => newUuid(random))
  return {
    ...attributes,
    poolsetUuid: or(attributes.poolsetUuid, () => newUuid(random)),
    uuid,
    prevUuid: or(attributes.prevUuid, () => uuid),
    nextUuid: or(attributes.nextUuid, () => uuid),
    userFlags: or(attributes.userFlags, ownArchFlags),
  }
}

/** One header for each creation time: the first part carries the UUID of the attributes, the others get fresh ones. */
export function headersOf(
  attributes: PoolAttributes,
  creationTimes: readonly bigint[],
  random: Random = systemRandom,
): PartHeader[] {
  const uuids = creationTimes.map((_, part) => (part === 0 ? attributes.uuid : newUuid(random)))
  const headers = creationTimes.map((createdAt, part) => ({
    ...sharedFields(attributes),
    uuid: uuids[part] ?? attributes.uuid,
    prevPartUuid: attributes.uuid,
    nextPartUuid: attributes.uuid,
    createdAt,
    shutdownState: shutdownState(false),
  }))
  return linkParts(headers)
}

/** set_attr (3.4): all that attributes hold is replaced in every header; times and shutdown state stay. */
export function replaceAttributes(headers: readonly PartHeader[], attributes: PoolAttributes): PartHeader[] {
  const replaced = headers.map((header, part) => ({
    ...header,
    ...sharedFields(attributes),
    uuid: part === 0 ? attributes.uuid : header.uuid,
  }))
  return linkParts(replaced)
}

/** What open answers: the fields of the first header. */
export function attributesOf(header: PartHeader): PoolAttributes {
  return {
    signature: header.signature,
    major: header.major,
    compat: header.compat,
    incompat: header.incompat,
    roCompat: header.roCompat,
    poolsetUuid: header.poolsetUuid,
    uuid: header.uuid,
    nextUuid: header.nextReplicaUuid,
    prevUuid: header.prevReplicaUuid,
    userFlags: header.archFlags,
  }
}

const sharedFields = (attributes: PoolAttributes) => ({
  signature: attributes.signature,
  major: attributes.major,
  compat: attributes.compat,
  incompat: attributes.incompat,
  roCompat: attributes.roCompat,
  poolsetUuid: attributes.poolsetUuid,
  prevReplicaUuid: attributes.prevUuid,
  nextReplicaUuid: attributes.nextUuid,
  archFlags: attributes.userFlags,
})

function linkParts(headers: readonly PartHeader[]): PartHeader[] {
  const links = ring(headers.map(header => header.uuid))
  return headers.map((header, part) => {
    const link = links[part]
    assert(link !== undefined, 'every header has its place in the ring')
    return { ...header, prevPartUuid: link.prev, nextPartUuid: link.next }
  })
}

const contradiction = (message: string): RpmemError => new RpmemError('ERR_ATTRIBUTES', message)
