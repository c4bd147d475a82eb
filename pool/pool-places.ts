import { RpmemError } from '../core/index.js'
import { isDirectorySet, type LocalReplicaSpec, localReplicas, type PoolSet } from '../poolset/index.js'
import type { PartPlace } from './layout.js'

/** May a pool be made of this set at all? ERR_POOLSET_UNSUITABLE says why not. */
export function checkSet(set: PoolSet, connects: boolean): void {
  const paths = localReplicas(set).flatMap(replica => placesOf(replica).map(({ path }) => path))
  const twice = paths.find((path, index) => paths.indexOf(path) !== index)
  if (twice !== undefined) throw unsuitable(`${twice} is listed twice`)
  if (set.replicas[0]?.kind !== 'local') throw unsuitable('the first replica of a pool must be local')
  if (!connects && set.replicas.some(replica => replica.kind === 'remote')) {
    throw unsuitable('the pool set has a remote replica, but nothing was given that connects to targets')
  }
}

/** Parts in directories are made as a pool grows, which none here does yet. */
export function refuseDirectories(set: PoolSet): void {
  if (isDirectorySet(set)) throw unsuitable('a pool over directories cannot be created yet')
}

/** The files of a replica; those of a directory in the order of their names. */
export function placesOf(replica: LocalReplicaSpec): PartPlace[] {
  const files = replica.parts.flatMap((part): readonly { path: string; size: number | bigint }[] =>
    part.kind === 'directory' ? part.files : [part],
  )
  if (files.length === 0) throw unsuitable('the directories of the pool set hold no parts')
  return files.map(({ path, size }) => ({ path, size: Number(size) }))
}

const unsuitable = (message: string): RpmemError => new RpmemError('ERR_POOLSET_UNSUITABLE', message)
