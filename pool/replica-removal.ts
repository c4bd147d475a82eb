import { nativeStorage } from './native-storage.js'
import { Part } from './part.js'
import type { Storage } from './storage.js'

/** Unlinks parts by name, as `rpmem_remove` does: header and size are not looked at. */
export interface RemoveReplicaPartsRequest {
  readonly paths: readonly string[]
  readonly storage?: Storage
  /** A missing part is no error, and a locked one is passed over. */
  readonly force?: boolean
}

/** Every part is tried; the first error is thrown at the end. A part in use is never unlinked. */
export async function removeReplicaParts(request: RemoveReplicaPartsRequest): Promise<void> {
  const { paths, storage = nativeStorage, force = false } = request
  let failure: unknown
  for (const path of paths) {
    try {
      await removePart(path, storage)
    } catch (error) {
      failure ??= error
    }
  }
  if (failure !== undefined && !force) throw failure
}

async function removePart(path: string, storage: Storage): Promise<void> {
  const part = await Part.claim(path, storage)
  try {
    await part.unlink()
  } finally {
    await part.close()
  }
}
