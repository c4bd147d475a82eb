import { assert, type ErrorCode, pageSize, RpmemError } from '../core/index.js'
import { minimumPartSize, minimumPoolSize } from './limits.js'
import { headerCount, type MappedPart, mappedParts, measure, measureReplica, sum } from './measure.js'
import { type PartExtent, partExtents } from './part-extent.js'
import { type LocalReplicaSpec, localReplicas, type PartKind, type PoolSet, remoteReplicas } from './pool-set.js'
import { type Violation, violations } from './violation.js'

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
  /** Of a set of directories: they and how many parts each holds. Otherwise empty. */
  readonly directories: readonly { readonly path: string; readonly size: number; readonly files: number }[]
  /** Address space that is reserved; more than `size` only for directories. */
  readonly reservation: number
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

export interface PartPlan extends PartExtent {
  readonly path: string
  readonly kind: PartKind
  /** Of the file, exactly as it is created. */
  readonly size: number
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

/** What the purpose adds to the rules of the format. */
export interface Purpose {
  /** Begins the message; default: nothing does. */
  readonly subject?: string
  /** What else speaks against the use of the set, in the order of importance. */
  readonly against?: readonly string[]
}

/**
 * The plan of a set that can be used; the error names everything that forbids it: ERR_PART_SIZE where parts are too small and
 * nothing else is wrong, otherwise ERR_POOLSET_UNSUITABLE.
 */
export function requirePlan(set: PoolSet, { subject, against = [] }: Purpose = {}): Plan {
  const result = plan(set)
  const rules = result.violations.map(violation => violation.rule)
  const reasons = [...against, ...result.violations.map(violation => violation.message)]
  if (reasons.length === 0) return result
  const why = reasons.join('; ')
  const smallParts = against.length === 0 && rules.every(rule => rule === 'part-size')
  const code: ErrorCode = smallParts ? 'ERR_PART_SIZE' : 'ERR_POOLSET_UNSUITABLE'
  throw new RpmemError(code, subject === undefined ? why : `${subject}: ${why}`, {
    facts: { rules, why },
    ...(rules.length > 0 && { hint: 'See `rpmem poolset plan FILE` for the arithmetic of the set.' }),
  })
}

function planReplica(set: PoolSet, replica: LocalReplicaSpec, poolSize: number): ReplicaPlan {
  const mapped = mappedParts(replica)
  const { headers, size, reservation } = measureReplica(set, replica)
  const directories = replica.parts.filter(part => part.kind === 'directory')
  return {
    parts: planParts(mapped, headers),
    directories: directories.map(({ path, size, files }) => ({ path, size: Number(size), files: files.length })),
    reservation: Number(reservation),
    headers,
    rawSize: Number(sum(mapped.map(part => BigInt(part.size)))),
    headerSize: headers * pageSize,
    size: Number(size),
    usableSize: usable(Number(size), headerCount(set, 1) > 0),
    spareSize: Number(size) - poolSize,
  }
}

function planParts(parts: readonly MappedPart[], headers: number): PartPlan[] {
  const extents = partExtents(
    parts.map(part => part.size),
    headers,
  )
  return parts.map(({ path, kind, size }, index) => {
    const extent = extents[index]
    assert(extent, 'every part has its extent')
    return { path, kind, size: Number(size), ...extent }
  })
}

const usable = (size: number, usesHeaders: boolean): number => Math.max(size - (usesHeaders ? pageSize : 0), 0)
