import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasCode } from '../core/index.js'
import { checkHeaders } from './header-check.js'
import { type HeaderOptions, type PartPlace, replicaLayout } from './layout.js'
import { nativeStorage } from './native-storage.js'
import { removeNotes } from './note-removal.js'
import { isStagedFile, Part, removeLeftOver } from './part.js'
import { at, closeAll } from './part-list.js'
import type { Storage } from './storage.js'

export interface RemoveReplicaPartsRequest {
  /** The files of each replica, in order. */
  readonly replicas: readonly (readonly PartPlace[])[]
  readonly options: HeaderOptions
  readonly storage?: Storage
  /** As for createReplicaParts. */
  readonly notesBeside?: string | undefined
}

/**
 * Unlinks the parts of a pool, all of them or none; devices are wiped. Each must be there, free, of its size and, where it has
 * a header, a part of this pool. Errors, the first in the order of the parts: ERR_PART_MISSING, ERR_PART_SIZE, ERR_PART_ACCESS,
 * ERR_PART_IO, ERR_POOL_BUSY, ERR_HEADER_INVALID, ERR_POOLSET_UNSUITABLE. Source: rpmem_remove(3).
 */
export async function removeReplicaParts(request: RemoveReplicaPartsRequest): Promise<void> {
  const { replicas, options, storage = nativeStorage, notesBeside } = request
  const claimed: Part[] = []
  const firsts: Part[] = []
  try {
    for (const places of replicas) {
      const parts: Part[] = []
      for (const { path } of places) {
        const part = await Part.claim(path, storage)
        claimed.push(part)
        parts.push(part)
      }
      firsts.push(at(parts, 0))
      await checkWhole(parts, places, options)
    }
    // The locks are held until the last name is gone.
    for (const part of claimed) await part.unlink()
    for (const first of firsts) await removeNotes(notesOf(first, notesBeside))
    for (const { path } of replicas.flat().filter(({ staged }) => staged)) await removeStaged(path, storage)
  } finally {
    await closeAll(claimed)
  }
}

/** Are these files the replica that the set describes? */
async function checkWhole(parts: readonly Part[], places: readonly PartPlace[], options: HeaderOptions): Promise<void> {
  for (const [index, part] of parts.entries()) await part.checkSize(places[index]?.size ?? 0)
  const pages: { path: string; page: Uint8Array }[] = []
  for (const part of parts.slice(0, replicaLayout(places, options).headers)) {
    pages.push({ path: part.path, page: await part.readHeader() })
  }
  checkHeaders(pages)
}

export interface RemovePartOptions {
  readonly storage?: Storage
  readonly notesBeside?: string | undefined
  /** The part lies in a directory of the set: what a growth that was cut short has left there goes too. */
  readonly staged?: boolean | undefined
}

/**
 * Unlinks one part, whatever it holds, or wipes the device. A part in use is never unlinked, nor is anything but a regular file;
 * of a symbolic link only the link goes. Errors: ERR_PART_MISSING, ERR_PART_ACCESS, ERR_PART_IO, ERR_POOL_BUSY,
 * ERR_POOLSET_UNSUITABLE.
 */
export async function removePart(path: string, options: RemovePartOptions = {}): Promise<void> {
  const { storage = nativeStorage, notesBeside, staged } = options
  const part = await Part.claim(path, storage)
  try {
    await part.unlink()
    await removeNotes(notesOf(part, notesBeside))
    if (staged) await removeStaged(path, storage)
  } finally {
    await part.close()
  }
}

const notesOf = (part: Part, notesBeside: string | undefined): string =>
  part.deviceAlignment === undefined ? part.path : (notesBeside ?? part.path)

/** Files that never got their own names, in the directory of this part. Whoever is making one keeps it. */
async function removeStaged(path: string, storage: Storage): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (isStagedFile(name)) await removeUnlessBusy(join(dirname(path), name), storage)
  }
}

async function removeUnlessBusy(path: string, storage: Storage): Promise<void> {
  try {
    await removeLeftOver(path, storage)
  } catch (error) {
    if (!hasCode(error, 'ERR_POOL_BUSY')) throw error
  }
}
