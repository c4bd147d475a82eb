import { unlink } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { describe, errno, hasCode, type Log, RpmemError, singleLine, systemCode } from '../core/index.js'
import {
  existingPlacesOf,
  nativeStorage,
  type PartPlace,
  removePart,
  removeReplicaParts,
  type Storage,
} from '../pool/index.js'
import { loadPoolSet, localReplicas, type PoolSet } from '../poolset/index.js'
import { resolvePoolSet } from './pool-set-path.js'

export interface RemovalRequest {
  readonly poolSetDir: string
  readonly poolSet: string
  /** Remove what is there of a pool that is not whole, and do not report errors. */
  readonly force: boolean
  /** Unlink the pool set file too, once the parts are gone; with `force` in any case. */
  readonly removePoolSet: boolean
  /** Default: the pool room's own. */
  readonly storage?: Storage | undefined
  readonly log: Log
}

export interface Removal {
  /** Exit status of `rpmemd --remove`: 0, or the errno of the first failure, as rpmem_remove(3) hands it to its caller. */
  readonly status: number
  /** What the initiator may read, in one line. */
  readonly failure: string | undefined
}

/**
 * Removes the parts of a pool: the files that the pool set names and nothing else. A pool that is not whole stays as it is
 * unless `force` is set. A name that leads out of the poolset-dir is EBADF, also with `force`. Never rejects. Source: rpmemd(1).
 */
export async function removePool(request: RemovalRequest): Promise<Removal> {
  const { poolSet, force, log } = request
  try {
    await remove(request)
    return { status: 0, failure: undefined }
  } catch (error) {
    const failure = singleLine(`remove '${poolSet}': ${describe(error).join(': ')}`)
    log.write('err', failure)
    if (force && !hasCode(error, 'ERR_POOLSET_OUTSIDE')) return { status: 0, failure: undefined }
    return { status: exitStatus(error), failure }
  }
}

async function remove(request: RemovalRequest): Promise<void> {
  const { poolSetDir, poolSet, removePoolSet, force } = request
  const path = await resolvePoolSet(poolSetDir, poolSet)
  const set = await load(path, force)
  if (set) await removeParts(set, path, request)
  // A link is unlinked, not what it leads to: that is another name's pool set.
  if (removePoolSet) await unlink(join(poolSetDir, poolSet))
}

async function removeParts(
  set: PoolSet,
  notesBeside: string,
  { poolSet, force, storage = nativeStorage, log }: RemovalRequest,
): Promise<void> {
  const tell = (error: unknown) => log.write('err', `remove '${poolSet}': ${describe(error).join(': ')}`)
  if (!force) {
    return removeReplicaParts({ replicas: partsOf(poolSet, set), options: set.options, storage, notesBeside })
  }
  try {
    for (const { path, staged } of partsOf(poolSet, set).flat()) {
      await removePart(path, { storage, notesBeside, staged }).catch(tell)
    }
  } catch (error) {
    tell(error)
  }
}

/** Undefined with `force` for a file that is no pool set: then it names no parts. */
async function load(path: string, force: boolean): Promise<PoolSet | undefined> {
  try {
    return await loadPoolSet(path)
  } catch (error) {
    if (force && hasCode(error, 'ERR_POOLSET_SYNTAX')) return undefined
    throw error
  }
}

/** PMDK removes what stands before a remote replica and then stops; here nothing is touched. */
function partsOf(poolSet: string, set: PoolSet): PartPlace[][] {
  const replicas = localReplicas(set)
  if (replicas.length === set.replicas.length) return replicas.map(existingPlacesOf)
  throw new RpmemError('ERR_POOLSET_UNSUITABLE', `the pool set '${poolSet}' has parts that cannot be removed here`, {
    facts: { poolSet },
    hint: 'Remote replicas are not removed by rpmemd; remove them where they are.',
  })
}

function exitStatus(error: unknown): number {
  if (hasCode(error, 'ERR_POOLSET_OUTSIDE')) return errno.EBADF
  if (hasCode(error, 'ERR_POOL_BUSY')) return errno.EAGAIN
  if (hasCode(error, 'ERR_POOLSET_SYNTAX')) return errno.EINVAL
  const system: Readonly<Record<string, number>> = constants.errno
  const value = error instanceof RpmemError ? error.errno : system[systemCode(error) ?? '']
  // 126 and above belong to the shell.
  return value !== undefined && value > 0 && value < 126 ? value : errno.EIO
}
