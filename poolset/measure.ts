import { pageSize } from '../core/index.js'
import { filesOf } from './directory-files.js'
import { isDirectorySet, type LocalReplicaSpec, localReplicas, type PartSpec, type PoolSet } from './pool-set.js'

/** What a set amounts to, bytes, exact even for the sizes that PMDK accepts and no machine can map. */
export interface Measure {
  /** The smallest local replica. */
  readonly pool: bigint
  /** Address space to be reserved: the sum of the sizes of the directories, else the pool. */
  readonly reservation: bigint
  /** Of the local replicas, in order. */
  readonly replicas: readonly ReplicaMeasure[]
}

export interface ReplicaMeasure {
  readonly headers: number
  /** Address space to be reserved: the sum of the sizes of the directories, else `size`. */
  readonly reservation: bigint
  /** Parts rounded down to pages, less every header but the first. */
  readonly size: bigint
}

export function measure(set: PoolSet): Measure {
  const local = localReplicas(set)
  const replicas = local.map(replica => measureReplica(set, replica))
  const pool = smallest(replicas.map(replica => replica.size))
  return { pool, reservation: smallest(replicas.map(replica => replica.reservation)), replicas }
}

export function measureReplica(set: PoolSet, replica: LocalReplicaSpec): ReplicaMeasure {
  const parts = mappedParts(replica)
  const headers = headerCount(set, parts.length)
  const raw = sum(parts.map(part => roundDown(BigInt(part.size))))
  const lost = BigInt(Math.max(headers - 1, 0) * pageSize)
  const size = raw > lost ? raw - lost : 0n
  const reserved = sum(replica.parts.map(part => BigInt(part.size)))
  return { headers, size, reservation: isDirectorySet(set) && reserved > size ? reserved : size }
}

export type MappedPart = Pick<PartSpec, 'path' | 'size' | 'kind'>

/** The files that are mapped, in order: the parts themselves, or what the directories hold. */
export const mappedParts = ({ parts }: LocalReplicaSpec): readonly MappedPart[] =>
  parts.some(part => part.kind === 'directory')
    ? filesOf(parts).map(({ path, size }) => ({ path, size, kind: 'file' }))
    : parts

/** SINGLEHDR wins over NOHDRS, as in PMDK. */
export function headerCount(set: Pick<PoolSet, 'options'>, parts: number): number {
  if (set.options.singleHeader) return Math.min(1, parts)
  return set.options.noHeaders ? 0 : parts
}

export const roundDown = (bytes: bigint): bigint => bytes - (bytes % BigInt(pageSize))
export const sum = (values: readonly bigint[]): bigint => values.reduce((a, b) => a + b, 0n)
const smallest = ([first = 0n, ...rest]: readonly bigint[]): bigint => {
  let least = first
  for (const value of rest) if (value < least) least = value
  return least
}
