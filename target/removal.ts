import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, errno, hasCode, type Log, RpmemError } from '../core/index.js'
import { nativeStorage, removeReplicaParts, type Storage } from '../pool/index.js'
import { loadPoolSet, type PoolSet } from '../poolset/index.js'
import { resolvePoolSet } from './pool-set-path.js'

export interface RemovalRequest {
  readonly poolSetDir: string
  readonly poolSet: string
  /** Go on after errors and do not report them. */
  readonly force: boolean
  /** Unlink the pool set file too, even if a part could not be removed. */
  readonly removePoolSet: boolean
  /** Default: the pool room's own. */
  readonly storage?: Storage | undefined
  readonly log: Log
}

/**
 * Removes the parts of a pool: the files that the pool set names and nothing else. Returns the exit status of
 * `rpmemd --remove`: 0, or the errno of the first failure, as rpmem_remove(3) hands it to its caller. A name that leads out
 * of the poolset-dir is EBADF, also with `force`. Source: rpmemd(1).
 */
export async function removePool(request: RemovalRequest): Promise<number> {
  try {
    await remove(request)
    return 0
  } catch (error) {
    request.log.write('err', `remove '${request.poolSet}': ${describe(error).join(': ')}`)
    return request.force && !hasCode(error, 'ERR_POOLSET_OUTSIDE') ? 0 : exitStatus(error)
  }
}

async function remove(request: RemovalRequest): Promise<void> {
  const path = await resolvePoolSet(request.poolSetDir, request.poolSet)
  const failures: unknown[] = []
  const attempt = async (work: () => Promise<void>) => work().catch((error: unknown) => void failures.push(error))
  const set = await load(path, request.force)
  if (set) {
    const paths = partPaths(request.poolSet, set)
    await attempt(() => removeReplicaParts({ paths, storage: request.storage ?? nativeStorage, force: request.force }))
  }
  // A link is unlinked, not what it leads to: that is another name's pool set.
  if (request.removePoolSet) await attempt(() => unlink(join(request.poolSetDir, request.poolSet)))
  if (failures.length > 0) throw failures[0]
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
function partPaths(poolSet: string, set: PoolSet): string[] {
  const parts = set.replicas.flatMap(replica => (replica.kind === 'local' ? replica.parts : []))
  const foreign = set.replicas.some(replica => replica.kind === 'remote')
  if (!foreign && parts.every(part => part.kind === 'file')) return parts.map(part => part.path)
  throw new RpmemError('ERR_POOLSET_UNSUITABLE', `the pool set '${poolSet}' has parts that cannot be removed here`, {
    facts: { poolSet },
    hint: 'Remote replicas, directories and devices are not removed by rpmemd; remove them where they are.',
  })
}

function exitStatus(error: unknown): number {
  if (hasCode(error, 'ERR_POOLSET_OUTSIDE')) return errno.EBADF
  if (hasCode(error, 'ERR_POOL_BUSY')) return errno.EAGAIN
  if (hasCode(error, 'ERR_POOLSET_SYNTAX')) return errno.EINVAL
  const value = error instanceof RpmemError ? error.errno : undefined
  return value !== undefined && value > 0 && value < 126 ? value : errno.EIO
}
