import { type ErrorCode, RpmemError, systemCode } from '../core/index.js'

/** EFBIG is RLIMIT_FSIZE or the limit of the file system: as with a full disk, there is no room for the part. */
const codes: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'ERR_PART_ACCESS',
  EPERM: 'ERR_PART_ACCESS',
  EROFS: 'ERR_PART_ACCESS',
  ENOSPC: 'ERR_DISK_FULL',
  EDQUOT: 'ERR_DISK_FULL',
  EFBIG: 'ERR_DISK_FULL',
}

/** A system error of work on a part, told in the words of the catalogue. */
export function partError(path: string, action: string, cause: unknown): RpmemError {
  if (cause instanceof RpmemError) return cause
  const system = systemCode(cause)
  const code = codes[system ?? ''] ?? 'ERR_PART_IO'
  return RpmemError.wrap(code, `cannot ${action} ${path}`, cause, {
    facts: { part: path, system },
    ...(system === 'ENOENT' && { hint: `Create the directory of ${path} first.` }),
  })
}

export function partMissing(path: string, cause?: unknown): RpmemError {
  return RpmemError.wrap('ERR_PART_MISSING', `${path} does not exist`, cause, { facts: { part: path } })
}

export function notAFile(path: string): RpmemError {
  return new RpmemError('ERR_POOLSET_UNSUITABLE', `${path} is neither a regular file nor a device DAX`, {
    facts: { part: path },
    hint: 'Name a regular file, a device DAX, or a directory that exists when the pool set is read.',
  })
}

export function partExists(path: string): RpmemError {
  return new RpmemError('ERR_PART_EXISTS', `${path} begins with something else than zeros`, { facts: { part: path } })
}

export function partBusy(path: string): RpmemError {
  return new RpmemError('ERR_POOL_BUSY', `${path} is locked by another user of the pool`, { facts: { part: path } })
}
