import { open } from 'node:fs/promises'
import { MiB } from '../core/index.js'
import type { LocalReplicaSpec } from '../poolset/index.js'
import { Part } from './part.js'
import { placesOf } from './pool-places.js'
import type { Storage } from './storage.js'

/**
 * A crash while a pool over directories grew can leave the new file in the master and not in another replica. Such a file holds
 * nothing yet: where the master's holds only zeros, the missing one is made. What a replica misses otherwise stays missing.
 * The master must be open and locked, so that nobody else is at it.
 */
export async function finishGrowth(
  replica: LocalReplicaSpec,
  master: LocalReplicaSpec,
  storage: Storage,
): Promise<void> {
  const missing = new Set(
    replica.parts.flatMap(({ files }) => files.filter(file => !file.exists).map(({ path }) => path)),
  )
  if (missing.size === 0) return
  const originals = placesOf(master)
  for (const [index, place] of placesOf(replica).entries()) {
    const original = originals[index]
    // The first file has the header and is never empty.
    if (!missing.has(place.path) || !original || index === 0 || !(await isEmpty(original.path))) continue
    const part = await Part.create({ ...place, size: original.size }, storage)
    try {
      await part.publish(0o600)
    } finally {
      await part.close()
    }
  }
}

async function isEmpty(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const piece = new Uint8Array(MiB)
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, piece.length)
      if (bytesRead === 0) return true
      if (piece.subarray(0, bytesRead).some(byte => byte !== 0)) return false
    }
  } finally {
    await file.close()
  }
}
