import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, renameSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { RpmemError, systemCode } from '../core/index.js'
import { lockFile } from '../fabric-native/index.js'
import { storageError } from './arena-error.js'
import { NativeArenaFile } from './native-arena-file.js'
import type { Work } from './operation.js'

/** @throws ERR_ARGUMENT */
export function requirePaths(data: unknown, log: unknown): void {
  for (const [name, path] of [
    ['dataFile', data],
    ['logFile', log],
  ] as const) {
    if (typeof path === 'string' && path !== '' && !path.includes('\0')) continue
    throw new RpmemError('ERR_ARGUMENT', `${name} is the path of a file`, { facts: { name } })
  }
  if (resolve(String(data)) === resolve(String(log))) {
    throw new RpmemError('ERR_ARGUMENT', 'data file and log are two files', { facts: { path: String(data) } })
  }
}

/** Opens and locks a file; undefined if there is none, or an empty one. @throws ERR_ARENA_BUSY, ERR_ARENA_IO */
export function openFile(path: string): NativeArenaFile | undefined {
  for (;;) {
    const fd = openOrMiss(path, constants.O_RDWR)
    if (fd === undefined) return undefined
    const claim = claimed(path, fd)
    if (claim === 'moved') continue
    if (claim === 'file') return new NativeArenaFile(path, fd)
    closeSync(fd)
    return undefined
  }
}

/**
 * A new file in the place of none or of an empty one, locked; it has its name once it is whole. What an attempt that was killed has
 * left is used again.
 * @throws ERR_ARENA_BUSY: somebody else is about to make it or has made it
 */
export function* createFile(path: string, fill: (file: NativeArenaFile) => Work): Work<NativeArenaFile> {
  const staged = `${path}.arena-new`
  const fd = openStaged(staged)
  try {
    if (isThere(path)) throw busy(path)
    ftruncateSync(fd, 0)
    const file = new NativeArenaFile(path, fd)
    yield* fill(file)
    yield file.sync()
    renameSync(staged, path)
    syncDirectory(dirname(path))
    return file
  } catch (error) {
    closeSync(fd)
    throw storageError('it cannot be created', path, error)
  }
}

const isThere = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0

function openOrMiss(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags, privateMode)
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && (flags & constants.O_CREAT) === 0) return undefined
    throw storageError('it cannot be opened', path, error)
  }
}

/** 'moved': between our open and our lock, another file took its name. Closes the descriptor unless it is to be used. */
function claimed(path: string, fd: number): 'file' | 'empty' | 'moved' {
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw storageError('it is not a regular file', path, undefined)
    if (!lockFile(fd)) throw busy(path)
    if (statSync(path, { throwIfNoEntry: false })?.ino !== stat.ino) {
      closeSync(fd)
      return 'moved'
    }
    return fstatSync(fd).size > 0 ? 'file' : 'empty'
  } catch (error) {
    closeSync(fd)
    throw storageError('it cannot be opened', path, error)
  }
}

function openStaged(staged: string): number {
  for (;;) {
    const fd = openOrMiss(staged, constants.O_RDWR | constants.O_CREAT) as number
    if (claimed(staged, fd) !== 'moved') return fd
  }
}

const busy = (path: string): RpmemError =>
  new RpmemError('ERR_ARENA_BUSY', `${path} is in use by another arena`, { facts: { path } })

const privateMode = 0o600

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
