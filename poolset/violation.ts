import { normalize } from 'node:path'
import { fileProblems } from './directory-files.js'
import { minimumPartSize, minimumPoolSize } from './limits.js'
import type { Measure } from './measure.js'
import { isDirectorySet, type LocalReplicaSpec, type PartSpec, type PoolSet } from './pool-set.js'

export interface Violation {
  readonly rule: 'size-limit' | 'part-size' | 'pool-size' | 'directory-options' | 'directory-files' | 'path-twice'
  readonly message: string
  /** Of the replica in the set, from 0; undefined if it concerns the whole set. */
  readonly replica: number | undefined
  readonly path: string | undefined
}

/** Everything that forbids to make a pool of the set. */
export function violations(set: PoolSet, exact: Measure): Violation[] {
  const seen = new Set<string>()
  const found = set.replicas.flatMap((replica, index) =>
    replica.kind === 'local' ? replicaViolations(replica, index, seen) : [],
  )
  const whole = (rule: Violation['rule'], message: string) =>
    found.push({ rule, message, replica: undefined, path: undefined })
  const isTooLarge = [exact.reservation, ...exact.replicas.map(replica => replica.size)].some(size => size > exactLimit)
  if (isTooLarge && found.every(violation => violation.rule !== 'size-limit')) {
    whole('size-limit', 'a replica would have more than 2^53 - 1 bytes; no machine can map that')
  }
  if (isDirectorySet(set)) {
    if (!set.options.singleHeader) whole('directory-options', 'a set of directories needs the option SINGLEHDR')
  } else if (exact.pool < BigInt(minimumPoolSize)) {
    whole('pool-size', `the pool would have ${exact.pool} bytes; the least is ${minimumPoolSize}`)
  }
  return found
}

const exactLimit = BigInt(Number.MAX_SAFE_INTEGER)

function replicaViolations(replica: LocalReplicaSpec, index: number, seen: Set<string>): Violation[] {
  const files = fileProblems(replica).map(({ path, message }) => {
    return { rule: 'directory-files' as const, message, replica: index, path }
  })
  return [...replica.parts.flatMap(part => partViolations(part, index, seen)), ...files]
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
