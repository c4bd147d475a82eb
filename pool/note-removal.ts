import { constants } from 'node:fs'
import { open, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { systemCode } from '../core/index.js'
import { recordPath } from './record-file.js'
import { statusPath } from './status-note.js'

/**
 * Removes the record of a copy, the maps of what its replicas miss and the note of its state, which lie beside its first part. A file that bears such a
 * name but was not written by us stays.
 */
export async function removeNotes(first: string): Promise<void> {
  const [folder, name] = [dirname(first), basename(first)]
  const maps = (await readdir(folder)).filter(file => isMapOf(name, file)).map(file => join(folder, file))
  for (const path of [recordPath(first), statusPath(first), ...maps])
    if (await isNote(path)) await rm(path, { force: true })
}

/** All kinds begin with these bytes. */
const beginning = Buffer.from('RPMEM')

async function isNote(path: string): Promise<boolean> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const start = Buffer.alloc(beginning.length)
      return (await file.stat()).isFile() && (await file.read(start)).bytesRead > 0 && start.equals(beginning)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ELOOP') return false
    throw error
  }
}

/** Is it a map of what a replica of the pool with this first part misses? */
const isMapOf = (first: string, file: string): boolean =>
  file.startsWith(`${first}.missing-`) && /^[0-9a-f]{8}$/.test(file.slice(first.length + '.missing-'.length))
