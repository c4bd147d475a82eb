import { MiB, pageSize, RpmemError } from '../core/index.js'
import {
  isDirectorySet,
  isEmptyDirectorySet,
  type LocalReplicaSpec,
  mappedParts,
  type PoolSet,
  requirePlan,
  withNextFiles,
} from '../poolset/index.js'
import type { PartPlace } from './layout.js'

/** The first file of a pool over directories: the least that libpmemobj takes for a pool. */
const firstFileSize = 8 * MiB

/**
 * May a pool be created, or opened, with this set at all? Everything that speaks against it is told at once: ERR_PART_SIZE,
 * ERR_POOLSET_UNSUITABLE.
 */
export function checkSet(set: PoolSet, connects: boolean): void {
  const against: string[] = []
  if (set.replicas[0]?.kind !== 'local') against.push('the first replica of a pool must be local')
  if (!connects && set.replicas.some(replica => replica.kind === 'remote')) {
    against.push('the pool set has a remote replica, but nothing was given that connects to targets')
  }
  requirePlan(set, { against })
}

/** The set as a pool is created of it: directories that hold nothing get their first file, of `size` bytes if there is room. */
export function setToCreate(set: PoolSet, size: number = firstFileSize): PoolSet {
  if (!isEmptyDirectorySet(set)) return set
  const { reservation } = requirePlan(set)
  return withNextFiles(set, Math.min(size, reservation - (reservation % pageSize)))
}

/** The files and devices of a replica, in order. ERR_PART_MISSING for directories in which no pool has been created. */
export function placesOf(replica: LocalReplicaSpec): PartPlace[] {
  const [first] = replica.parts
  const staged = first?.kind === 'directory'
  const places = mappedParts(replica).map(({ path, size }) => ({ path, size: Number(size), ...(staged && { staged }) }))
  if (places.length > 0 || !first) return places
  throw new RpmemError('ERR_PART_MISSING', `the directory ${first.path} holds no part yet`, {
    facts: { part: first.path },
  })
}

/** What is there of a replica; of directories only the files that exist. */
export function existingPlacesOf(replica: LocalReplicaSpec): PartPlace[] {
  const parts = replica.parts.map(part => ({ ...part, files: part.files.filter(({ exists }) => exists) }))
  return placesOf({ ...replica, parts })
}

/** Address space that a replica of the set wants beyond its parts; undefined where pools do not grow. */
export const reservationOf = (set: PoolSet): number | undefined =>
  isDirectorySet(set) ? requirePlan(set).reservation : undefined
