import { type BigIntStats, closeSync, openSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../core/index.js'

/** What the reader of a pool set must know of the paths in it; a port, so that parsing can be tested without files. */
export interface FileFacts {
  look(path: string): FileFact
  /** Regular `*.pmem` files directly inside, by name; an unreadable one throws its system error. */
  list(directory: string): readonly { readonly path: string; readonly size: number }[]
}

/** `size` in bytes. A path that cannot be looked at counts as missing: opening it will say why. */
export type FileFact =
  | { readonly kind: 'missing' | 'device' | 'other' }
  | { readonly kind: 'file' | 'device-dax'; readonly size: number }
  | { readonly kind: 'directory'; readonly realPath: string }

/** Nothing exists: the set is taken by its words alone. */
export const noFiles: FileFacts = { look: () => ({ kind: 'missing' }), list: () => [] }

export const systemFiles: FileFacts = {
  look(path) {
    try {
      return factOf(path, statSync(path, { bigint: true }))
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      return { kind: 'missing' }
    }
  },
  list: directory =>
    readdirSync(directory)
      .filter(name => name.endsWith('.pmem'))
      .sort()
      .map(name => join(directory, name))
      .flatMap(readableFile),
}

function factOf(path: string, stats: BigIntStats): FileFact {
  if (stats.isFile()) return { kind: 'file', size: Number(stats.size) }
  if (stats.isDirectory()) return { kind: 'directory', realPath: realpathSync(path) }
  if (stats.isCharacterDevice()) return deviceFact(stats.rdev)
  return { kind: stats.isBlockDevice() ? 'device' : 'other' }
}

function readableFile(path: string): { path: string; size: number }[] {
  const stats = statSync(path)
  if (!stats.isFile()) return []
  closeSync(openSync(path, 'r'))
  return [{ path, size: stats.size }]
}

/** A character device is Device DAX if sysfs files it under the class or bus `dax`; its size stands beside. */
export function deviceFact(device: bigint, sysfs = '/sys'): FileFact {
  const { major, minor } = deviceNumber(device)
  const directory = `${sysfs}/dev/char/${major}:${minor}`
  try {
    if (!/\/dax$/.test(realpathSync(`${directory}/subsystem`))) return { kind: 'device' }
    return { kind: 'device-dax', size: Number(readFileSync(`${directory}/size`, 'utf8').trim()) }
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return { kind: 'device' }
  }
}

/** The split of gnu_dev_major(3) and gnu_dev_minor(3). */
export function deviceNumber(device: bigint): { major: bigint; minor: bigint } {
  return {
    major: ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n),
    minor: (device & 0xffn) | ((device >> 12n) & 0xffffff00n),
  }
}
