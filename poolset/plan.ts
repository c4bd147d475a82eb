import { normalize } from 'node:path'
import { MiB, pageSize, RpmemError } from '../core/index.js'
import { isDirectorySet, type LocalReplicaSpec, type PartKind, type PartSpec, type PoolSet } from './pool-set.js'

/** Limits of the media format, bytes. */
export const minimumPartSize = 2 * MiB
export const minimumPoolSize = 2 * pageSize

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
  /** Parts rounded down to pages, less every header but the first. */
  readonly size: bigint
}

export function measure(set: PoolSet): Measure {
  const local = set.replicas.filter(replica => replica.kind === 'local')
  const replicas = local.map(replica => measureReplica(set, replica))
  const pool = smallest(replicas.map(replica => replica.size))
  const reservations = local.map(replica => sum(replica.parts.map(part => BigInt(part.size))))
  return { pool, reservation: isDirectorySet(set) ? smallest(reservations) : pool, replicas }
}

function measureReplica(set: PoolSet, replica: LocalReplicaSpec): ReplicaMeasure {
  const parts = mappedParts(replica)
  const headers = headerCount(set, parts.length)
  const raw = sum(parts.map(part => roundDown(BigInt(part.size))))
  const lost = BigInt(Math.max(headers - 1, 0) * pageSize)
  return { headers, size: raw > lost ? raw - lost : 0n }
}

type MappedPart = Pick<PartSpec, 'path' | 'size' | 'kind'>

/** The files that are mapped: the parts themselves, or what the directories hold. */
const mappedParts = (replica: LocalReplicaSpec): readonly MappedPart[] =>
  replica.parts.flatMap((part): readonly MappedPart[] =>
    part.kind === 'directory' ? part.files.map(({ path, size }) => ({ path, size, kind: 'file' })) : [part],
  )

/** SINGLEHDR wins over NOHDRS, as in PMDK. */
export function headerCount(set: Pick<PoolSet, 'options'>, parts: number): number {
  if (set.options.singleHeader) return Math.min(1, parts)
  return set.options.noHeaders ? 0 : parts
}

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

export interface Violation {
  readonly rule: 'size-limit' | 'part-size' | 'pool-size' | 'directory-options' | 'path-twice'
  readonly message: string
  /** Of the replica in the set, from 0; undefined if it concerns the whole set. */
  readonly replica: number | undefined
  readonly path: string | undefined
}

/** Pure: works on what was read, looks at no file. */
export function plan(set: PoolSet): Plan {
  const exact = measure(set)
  const local = set.replicas.filter(replica => replica.kind === 'local')
  const poolSize = Number(exact.pool)
  const usesHeaders = headerCount(set, 1) > 0
  return {
    poolSize,
    usableSize: usable(poolSize, usesHeaders),
    reservation: Number(exact.reservation),
    replicas: local.map(replica => planReplica(set, replica, poolSize)),
    remotes: set.replicas
      .filter(replica => replica.kind === 'remote')
      .map(({ node, set: name }) => ({ node, set: name })),
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

function violations(set: PoolSet, exact: Measure): Violation[] {
  const seen = new Set<string>()
  const found = set.replicas.flatMap((replica, index) =>
    replica.kind === 'local' ? replica.parts.flatMap(part => partViolations(part, index, seen)) : [],
  )
  const whole = (rule: Violation['rule'], message: string) =>
    found.push({ rule, message, replica: undefined, path: undefined })
  if (isDirectorySet(set)) {
    if (!set.options.singleHeader) whole('directory-options', 'a set of directories needs the option SINGLEHDR')
  } else if (exact.pool < BigInt(minimumPoolSize)) {
    whole('pool-size', `the pool would have ${exact.pool} bytes; the least is ${minimumPoolSize}`)
  }
  return found
}

function partViolations(part: PartSpec, replica: number, seen: Set<string>): Violation[] {
  const { path, size } = part
  const found: Violation[] = []
  const add = (rule: Violation['rule'], message: string) => found.push({ rule, message, replica, path })
  if (typeof size === 'bigint') add('size-limit', `${path} would have ${size} bytes; no machine can map that`)
  else if (size < minimumPartSize) {
    add('part-size', `${path} would have ${size} bytes; a part has at least ${minimumPartSize}`)
  }
  // PMDK's grammar allows it, but the second would find the lock of the first.
  if (seen.has(normalize(path))) add('path-twice', `${path} is a part already`)
  seen.add(normalize(path))
  return found
}

const usable = (size: number, usesHeaders: boolean): number => Math.max(size - (usesHeaders ? pageSize : 0), 0)
const roundDown = (bytes: bigint): bigint => bytes - (bytes % BigInt(pageSize))
const sum = (values: readonly bigint[]): bigint => values.reduce((a, b) => a + b, 0n)
const smallest = ([first = 0n, ...rest]: readonly bigint[]): bigint => {
  let least = first
  for (const value of rest) if (value < least) least = value
  return least
}
