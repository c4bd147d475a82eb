import { RpmemError } from '../core/index.js'
import { type LocalReplicaSpec, localReplicas, type PoolSet, requirePlan } from '../poolset/index.js'
import type { PartPlace } from './layout.js'

/**
 * May a pool be created, or opened, with this set at all? Everything that speaks against it is told at once: ERR_PART_SIZE,
 * ERR_POOLSET_UNSUITABLE.
 */
export function checkSet(set: PoolSet, purpose: 'create' | 'open', connects: boolean): void {
  const against: string[] = []
  if (set.replicas[0]?.kind !== 'local') against.push('the first replica of a pool must be local')
  if (!connects && set.replicas.some(replica => replica.kind === 'remote')) {
    against.push('the pool set has a remote replica, but nothing was given that connects to targets')
  }
  against.push(...unsupportedParts(set, purpose))
  requirePlan(set, { against })
}

/** What the format allows and this implementation does not do, a line each. */
function unsupportedParts(set: PoolSet, purpose: 'create' | 'open'): string[] {
  const parts = localReplicas(set).flatMap(replica => replica.parts)
  return parts.flatMap(({ kind, path }) => {
    if (kind === 'device-dax') return [`${path} is a device; device DAX as a part is not supported`]
    if (kind === 'file' || purpose === 'open') return []
    return [`${path} is a directory; creating pools over directories is not supported, only opening them`]
  })
}

/** The files of a replica; those of a directory in the order of their names. */
export function placesOf(replica: LocalReplicaSpec): PartPlace[] {
  const files = replica.parts.flatMap((part): readonly { path: string; size: number | bigint }[] =>
    part.kind === 'directory' ? part.files : [part],
  )
  if (files.length === 0) {
    throw new RpmemError('ERR_POOLSET_UNSUITABLE', 'the directories of the pool set hold no parts')
  }
  return files.map(({ path, size }) => ({ path, size: Number(size) }))
}
