import { assert, RpmemError } from '../core/index.js'
import { isDirectorySet, type PoolSet, type ReplicaSpec, requirePlan } from '../poolset/index.js'
import { checkSet } from './pool-places.js'

/** What becomes of each replica when one pool set takes the place of another. Indices are places in the sets. */
export interface SetDifference {
  /** By the index in the new set. */
  readonly replicas: readonly Fate[]
  /** Indices in the old set. */
  readonly removed: readonly number[]
  /** Bytes of the pool, which stay. */
  readonly size: number
}

export type Fate =
  | { readonly kind: 'kept'; readonly spec: ReplicaSpec; readonly before: number }
  | { readonly kind: 'added'; readonly spec: ReplicaSpec }

/** A replica is the same if its line or all of its parts are. ERR_POOLSET_UNSUITABLE with everything that speaks against it. */
export function differenceOf(before: PoolSet, after: PoolSet): SetDifference {
  checkSet(after, true)
  const old = before.replicas.map(keyOf)
  const fresh = after.replicas.map(keyOf)
  const replicas = after.replicas.map((spec, index): Fate => {
    const at = old.indexOf(fresh[index] ?? '')
    return at < 0 ? { kind: 'added', spec } : { kind: 'kept', spec, before: at }
  })
  const removed = [...old.keys()].filter(index => !fresh.includes(old[index] ?? ''))
  const against = [...reasonsAgainst(before, after), ...sharedPaths(before, replicas)]
  if (against.length > 0) {
    throw new RpmemError('ERR_POOLSET_UNSUITABLE', against.join('; '), { facts: { reasons: against } })
  }
  return { replicas, removed, size: requirePlan(after).poolSize }
}

export function nameOfSpec(spec: ReplicaSpec): string {
  if (spec.kind === 'remote') return `${spec.node} ${spec.set}`
  const [first] = spec.parts
  assert(first, 'a replica has parts')
  return `the local replica at ${first.path}`
}

const keyOf = (spec: ReplicaSpec): string =>
  spec.kind === 'remote'
    ? JSON.stringify([spec.node, spec.set])
    : JSON.stringify(spec.parts.map(({ path, size, kind }) => [path, String(size), kind]))

function reasonsAgainst(before: PoolSet, after: PoolSet): string[] {
  const reasons: string[] = []
  if (isDirectorySet(before) || isDirectorySet(after)) reasons.push('pools over directories cannot be transformed')
  if (optionsOf(before) !== optionsOf(after)) {
    reasons.push('the options differ, and all replicas of a pool have the same')
  }
  const [have, want] = [requirePlan(before).poolSize, requirePlan(after).poolSize]
  if (have !== want) reasons.push(`the pool has ${have} bytes, and the new set makes ${want} of it`)
  const keys = after.replicas.map(keyOf)
  if (new Set(keys).size < keys.length) reasons.push('the new set names a replica twice')
  return reasons
}

const optionsOf = ({ options }: PoolSet): string => JSON.stringify([options.noHeaders, options.singleHeader])

/** A new replica must not lie where an old one does: it is copied before that goes. */
function sharedPaths(before: PoolSet, replicas: readonly Fate[]): string[] {
  const taken = new Set(before.replicas.flatMap(pathsOf))
  const shared = replicas
    .flatMap(({ kind, spec }) => (kind === 'added' ? pathsOf(spec) : []))
    .filter(path => taken.has(path))
  return shared.map(path => `${path} is a part of the old set, in a replica of another shape`)
}

const pathsOf = (spec: ReplicaSpec): string[] => (spec.kind === 'local' ? spec.parts.map(({ path }) => path) : [])
