import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { RpmemError, systemCode } from '../core/index.js'
import { fileSizeLimit, type ParseOptions, parsePoolSet } from './notation.js'
import type { PoolSet } from './pool-set.js'

/**
 * Reads the pool set file at `path`. ERR_POOLSET_MISSING, ERR_POOLSET_UNREADABLE (no permission, not a regular file), or
 * ERR_POOLSET_SYNTAX with all mistakes.
 */
export async function loadPoolSet(path: string, options: Omit<ParseOptions, 'file'> = {}): Promise<PoolSet> {
  return parsePoolSet(await readPoolSetFile(path), { ...options, file: path })
}

/** The content, of which at most one byte more than the limit is read. */
async function readPoolSetFile(path: string): Promise<Uint8Array> {
  try {
    // Without O_NONBLOCK a FIFO of that name would hold us until somebody writes to it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      return await readLimited(path, file)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw asLoadError(path, error)
  }
}

async function readLimited(path: string, file: FileHandle): Promise<Uint8Array> {
  const stats = await file.stat()
  if (!stats.isFile()) {
    throw new RpmemError('ERR_POOLSET_UNREADABLE', `${path} is not a regular file`, {
      facts: { path },
      hint: 'Name the pool set file itself.',
    })
  }
  const buffer = new Uint8Array(Math.min(stats.size, fileSizeLimit) + 1)
  let length = 0
  for (let read = 1; read > 0 && length < buffer.length; length += read) {
    read = (await file.read(buffer, length, buffer.length - length)).bytesRead
  }
  return buffer.subarray(0, length)
}

function asLoadError(path: string, error: unknown): unknown {
  const code = systemCode(error)
  if (error instanceof RpmemError || code === undefined) return error
  const missing = code === 'ENOENT' || code === 'ENOTDIR'
  return RpmemError.wrap(
    missing ? 'ERR_POOLSET_MISSING' : 'ERR_POOLSET_UNREADABLE',
    missing ? `there is no pool set file ${path}` : `the pool set file ${path} cannot be read`,
    error,
    { facts: { path, system: code } },
  )
}
