import { alignUp, bytes, count64le, MiB, pageSize, reserved, struct, u32le, type ValueOf } from '../core/index.js'
import { contentAt, dataMagic, formatVersion } from './data-header.js'
import { recordsAt } from './log-header.js'
import { slotsSize } from './slots.js'

/**
 * The begin of an arena that lies in a pool, as the replicas of an arena do, in two slots (slots.ts). Behind it come a region that holds
 * what a data file holds, and one that holds what a log holds. Offsets count from the first byte of the pool that is the user's.
 */
export const replicaPlaceLayout = struct('arena replica', 80, {
  magic: bytes(8),
  version: u32le,
  /** placeFlags */
  flags: u32le,
  /** The same as in both regions. */
  arena: bytes(16),
  change: count64le,
  /** Bytes of either region. */
  dataCapacity: count64le,
  logCapacity: count64le,
  /** Bytes of the log that may be in use, the rest of its region is not looked at. */
  logSize: count64le,
  unused: reserved(16),
})

export type ReplicaPlace = ValueOf<typeof replicaPlaceLayout>

/** takenOver: it was opened on its own for writing, and is no longer a copy of any other arena. */
export const placeFlags = { takenOver: 1 } as const

export const replicaMagic: Uint8Array = new Uint8Array(Buffer.from('RPMAREPL'))

/** Offset of the region of data. */
export const dataRegionAt = slotsSize

export const logRegionAt = ({ dataCapacity }: ReplicaPlace): number => dataRegionAt + dataCapacity

/** The rule that a header with the right checksum breaks. */
export function brokenPlaceRule(place: ReplicaPlace): string | undefined {
  const { magic, version, flags, dataCapacity, logCapacity, logSize } = place
  if (!Buffer.from(replicaMagic).equals(magic)) {
    return Buffer.from(dataMagic).equals(magic) ? 'it is that of a data file' : 'it begins with something else'
  }
  if (version !== formatVersion) return `it is of version ${version}`
  if ((flags & ~placeFlags.takenOver) !== 0) return `it has the unknown flags ${flags}`
  const capacities = [dataCapacity - contentAt, logCapacity - recordsAt]
  if (capacities.some(capacity => capacity < pageSize || capacity % pageSize !== 0)) return 'its regions have no room'
  if (logSize > logCapacity) return 'its log is larger than its region'
  return undefined
}

/** Bytes of both regions for an arena of up to `size` bytes, a multiple of 4096. */
export function capacitiesFor(size: number): { readonly dataCapacity: number; readonly logCapacity: number } {
  // A record of all pages fits before or behind half an arena's worth of others, so there is always room for the next one.
  const record = size + alignUp(12 * (size / pageSize), pageSize) + 2 * pageSize
  return { dataCapacity: contentAt + size, logCapacity: recordsAt + alignUp(2.5 * record, pageSize) + MiB }
}

/** Bytes of the pool, as far as the user sees it. */
export function placeSize(size: number): number {
  const { dataCapacity, logCapacity } = capacitiesFor(size)
  return dataRegionAt + dataCapacity + logCapacity
}
