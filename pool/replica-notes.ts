import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { recordPath } from './record-file.js'
import { isMapOf } from './replica-keeper.js'

/** Removes the record of a copy and the maps of what its replicas miss, which lie beside its first part. */
export async function removeNotes(first: string): Promise<void> {
  const [folder, name] = [dirname(first), basename(first)]
  const maps = (await readdir(folder)).filter(file => isMapOf(name, file)).map(file => join(folder, file))
  for (const path of [recordPath(first), ...maps]) await rm(path, { force: true })
}
