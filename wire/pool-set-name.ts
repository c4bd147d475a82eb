import { RpmemError } from '../core/index.js'

/** PATH_MAX with its NUL: no longer name can be opened below any directory. */
export const maxPoolSetNameSize = 4096

/**
 * The rule of the wire that a pool set name breaks, or undefined. Such a name cannot travel at all; whether the target
 * accepts it as a path is another matter (`poolSetPathRule`).
 */
export function poolSetNameRule(name: string): string | undefined {
  if (name.length === 0) return 'the pool set name is empty'
  if (name.includes('\0')) return 'the pool set name contains a NUL'
  const encoded = Buffer.from(name, 'utf8')
  if (encoded.length >= maxPoolSetNameSize) return `the pool set name takes more than ${maxPoolSetNameSize - 1} bytes`
  return encoded.toString('utf8') === name ? undefined : 'the pool set name is not well-formed Unicode'
}

/** A caller's name that cannot travel is ERR_ARGUMENT. */
export function checkPoolSetName(name: string): void {
  const rule = poolSetNameRule(name)
  if (rule !== undefined) throw new RpmemError('ERR_ARGUMENT', rule, { facts: { poolSet: name.slice(0, 256) } })
}

/**
 * The rule that keeps a name below the poolset-dir of the target, or undefined. PMDK refuses absolute names only; the rest is
 * ours. Symbolic links are for the target to resolve.
 */
export function poolSetPathRule(name: string): string | undefined {
  if (name.startsWith('/')) return 'the pool set name is absolute'
  return name.split('/').includes('..') ? 'the pool set name contains `..`' : undefined
}
