import { pageSize, RpmemError } from '../core/index.js'
import { headerCount, type MappedPart, mappedParts, measure, measureReplica, roundDown, sum } from './measure.js'
import { type LocalReplicaSpec, localReplicas, type PartKind, type PoolSet, remoteReplicas } from './pool-set.js'
import { minimumPartSize, minimumPoolSize, type Violation, violations } from './violation.js'

/** The arithmetic of a set in plain numbers, and why it cannot be used, if so. All sizes in bytes. */
export interface Plan {
  readonly poolSize: number
  /** What is left of the pool for the user: without the first header. */
  readonly usableSize: number
  readonly reservation: number
  /** Of the local replicas, in order. */
  readonly replicas: readonly ReplicaPlan[]
  readonly remotes: readonly { readonly node: string; readonly set: string }[]
  readonly minimum: { readonly partSize: number; readonly poolSize: number }
  readonly violations: readonly Violation[]
}

export interface ReplicaPlan {
  readonly parts: readonly PartPlan[]
  readonly headers: number
  /** Sum of the parts as written. */
  readonly rawSize: number
  readonly headerSize: number
  /** Of this replica as a pool, first header included. */
  readonly size: number
  readonly usableSize: number
  /** What the pool does not use because another replica is smaller. */
  readonly spareSize: number
}

export interface PartPlan {
  readonly path: string
  readonly kind: PartKind
  /** Of the file, exactly as it is created. */
  readonly size: number
  readonly hasHeader: boolean
  /** Where in the pool its memory begins, and how much it contributes. */
  readonly poolOffset: number
  readonly mappedSize: number
  /** Where in the file the mapped range begins. */
  readonly fileOffset: number
}

/** Pure: works on what was read, looks at no file. */
export function plan(set: PoolSet): Plan {
  const exact = measure(set)
  const local = localReplicas(set)
  const poolSize = Number(exact.pool)
  const usesHeaders = headerCount(set, 1) > 0
  return {
    poolSize,
    usableSize: usable(poolSize, usesHeaders),
    reservation: Number(exact.reservation),
    replicas: local.map(replica => planReplica(set, replica, poolSize)),
    remotes: remoteReplicas(set).map(({ node, set: name }) => ({ node, set: name })),
    minimum: { partSize: minimumPartSize, poolSize: minimumPoolSize },
    violations: violations(set, exact),
  }
}

/** The plan of a set that can be used; ERR_POOLSET_UNSUITABLE names everything that forbids it. */
export function requirePlan(set: PoolSet): Plan {
  const result = plan(set)
  if (result.violations.length === 0) return result
  const messages = result.violations.map(violation => violation.message)
  throw new RpmemError('ERR_POOLSET_UNSUITABLE', messages.join('; '), {
    facts: { rules: result.violations.map(violation => violation.rule) },
    hint: 'See `rpmem poolset plan FILE` for the arithmetic of the set.',
  })
}

function planReplica(set: PoolSet, replica: LocalReplicaSpec, poolSize: number): ReplicaPlan {
  const mapped = mappedParts(replica)
  const { headers, size } = measureReplica(set, replica)
  return {
    parts: planParts(mapped, headers),
    headers,
    rawSize: Number(sum(mapped.map(part => BigInt(part.size)))),
    headerSize: headers * pageSize,
    size: Number(size),
    usableSize: usable(Number(size), headerCount(set, 1) > 0),
    spareSize: Number(size) - poolSize,
  }
}

/** Contiguous: the first part from its beginning, further ones from behind their header. */
function planParts(parts: readonly MappedPart[], headers: number): PartPlan[] {
  let poolOffset = 0
  return parts.map((part, index) => {
    const hasHeader = index < headers
    const fileOffset = hasHeader && index > 0 ? pageSize : 0
    const mappedSize = Math.max(Number(roundDown(BigInt(part.size))) - fileOffset, 0)
    const { path, kind } = part
    const planned = { path, kind, size: Number(part.size), hasHeader, poolOffset, mappedSize, fileOffset }
    poolOffset += mappedSize
    return planned
  })
}

const usable = (size: number, usesHeaders: boolean): number => Math.max(size - (usesHeaders ? pageSize : 0), 0)
