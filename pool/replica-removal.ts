import { checkHeaders } from './header-check.js'
import { type HeaderOptions, type PartPlace, replicaLayout } from './layout.js'
import { nativeStorage } from './native-storage.js'
import { removeNotes } from './note-removal.js'
import { Part } from './part.js'
import { closeAll } from './part-list.js'
import type { Storage } from './storage.js'

export interface RemoveReplicaPartsRequest {
  /** The files of each replica, in order. */
  readonly replicas: readonly (readonly PartPlace[])[]
  readonly options: HeaderOptions
  readonly storage?: Storage
}

/**
 * Unlinks the parts of a pool, all of them or none: each must be there, free, of its size and, where it has a header, a part
 * of this pool. Errors, the first in the order of the parts: ERR_PART_MISSING, ERR_PART_SIZE, ERR_PART_ACCESS, ERR_PART_IO,
 * ERR_POOL_BUSY, ERR_HEADER_INVALID, ERR_POOLSET_UNSUITABLE. Source: rpmem_remove(3).
 */
export async function removeReplicaParts({ replicas, options, storage }: RemoveReplicaPartsRequest): Promise<void> {
  const claimed: Part[] = []
  try {
    for (const places of replicas) {
      const parts: Part[] = []
      for (const { path } of places) {
        const part = await Part.claim(path, storage ?? nativeStorage)
        claimed.push(part)
        parts.push(part)
      }
      await checkWhole(parts, places, options)
    }
    // The locks are held until the last name is gone.
    for (const part of claimed) await part.unlink()
    for (const [first] of replicas) if (first) await removeNotes(first.path)
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

/**
 * Unlinks one part, whatever it holds. A part in use is never unlinked, nor is anything but a regular file; of a symbolic link
 * only the link goes. Errors: ERR_PART_MISSING, ERR_PART_ACCESS, ERR_PART_IO, ERR_POOL_BUSY, ERR_POOLSET_UNSUITABLE.
 */
export async function removePart(path: string, storage: Storage = nativeStorage): Promise<void> {
  const part = await Part.claim(path, storage)
  try {
    await part.unlink()
    await removeNotes(path)
  } finally {
    await part.close()
  }
}
