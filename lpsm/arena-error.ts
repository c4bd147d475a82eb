import { isRpmemError, RpmemError, systemCode } from '../core/index.js'

export const arenaForeign = (path: string, what: string): RpmemError =>
  new RpmemError('ERR_ARENA_FOREIGN', `${path} is not ${what}`, { facts: { path } })

export const arenaClosed = (): RpmemError => new RpmemError('ERR_CLOSED', 'the arena was closed')

export const arenaPoisoned = (cause: unknown): RpmemError =>
  RpmemError.wrap('ERR_ARENA_POISONED', 'an earlier write of this arena failed', cause, { durability: 'none' })

/** A call to the storage that failed, as an error of the arena. */
export function storageError(what: string, path: string, cause: unknown): RpmemError {
  if (isRpmemError(cause)) return cause
  return RpmemError.wrap('ERR_ARENA_IO', `${path}: ${what}`, cause, { facts: { path }, durability: 'unknown' })
}

/** A file that could not grow. Nothing was written. */
export function allocationError(path: string, cause: unknown): RpmemError {
  const isFull = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCode(cause) ?? '')
  if (!isFull) return storageError('it could not grow', path, cause)
  return RpmemError.wrap('ERR_DISK_FULL', `there is no room for ${path} to grow`, cause, {
    facts: { path },
    durability: 'none',
    hint: 'Free space; the arena stays usable, and the next checkpoint takes with it what this one should have.',
  })
}

export const checkpointUnknown = (sequence: number, kept: readonly number[]): RpmemError =>
  new RpmemError('ERR_CHECKPOINT_UNKNOWN', `checkpoint ${sequence} is not among those that are kept`, {
    facts: { sequence, kept },
  })
