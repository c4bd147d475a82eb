import { unlink } from 'node:fs/promises'
import { describe, hasCode, RpmemError } from '../core/index.js'
import { RemotePool } from '../initiator/index.js'
import { existingPlacesOf, type PartPlace, removePart, removeReplicaParts } from '../pool/index.js'
import { type LocalReplicaSpec, loadPoolSet, localReplicas, type PoolSet, remoteReplicas } from '../poolset/index.js'
import { errorText } from './error-text.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'
import { sshOptions, type TargetFlags } from './target-options.js'

export interface RmFlags extends TargetFlags {
  /** Remove what is there of a pool that is not whole; a part that is not there is no failure, here and on the targets. */
  readonly force?: boolean
  /** Remove the pool set files too. */
  readonly poolSet?: boolean
  readonly json?: boolean
}

interface Removal {
  readonly what: string
  readonly remove: () => Promise<void>
}

/**
 * `rpmem rm SET`: the remote replicas, then the local parts. Each is tried and each outcome is told; the pool set file goes
 * last and only if nothing failed. Resolves with whether all went well.
 */
export async function removePool(file: string, flags: RmFlags, io: Io): Promise<boolean> {
  const removals = await plannedRemovals(file, flags, io)
  let good = true
  for (const removal of removals) good = (await carryOut(removal, flags, io)) && good
  if (!good || !flags.poolSet) return good
  return carryOut({ what: file, remove: () => unlink(file) }, flags, io)
}

async function plannedRemovals(file: string, flags: RmFlags, io: Io): Promise<Removal[]> {
  const set = await loadPoolSet(file)
  const { force = false, poolSet: removePoolSet = false } = flags
  const options = { force, removePoolSet, ssh: sshOptions(flags), signal: io.signal }
  const remote = remoteReplicas(set).map(({ node, set: name }) => ({
    what: `${name} on ${node}`,
    remove: () => RemotePool.remove(node, name, options),
  }))
  return [...remote, ...localRemovals(file, set, force)]
}

/** A pool that is whole goes as a whole; by force each part by itself. */
function localRemovals(file: string, set: PoolSet, force: boolean): Removal[] {
  const replicas = localReplicas(set).map(replica => (force && isEmpty(replica) ? [] : existingPlacesOf(replica)))
  const places = replicas.flat()
  if (force) {
    return places.map(({ path, staged }) => ({
      what: path,
      remove: () => removePart(path, { staged, notesBeside: file }),
    }))
  }
  return [{ what: places.map(({ path }) => path).join(', '), remove: () => removeWhole(replicas, set, file) }]
}

const isEmpty = ({ parts }: LocalReplicaSpec): boolean =>
  parts.every(({ kind, files }) => kind === 'directory' && files.every(({ exists }) => !exists))

const removeWhole = (
  replicas: readonly (readonly PartPlace[])[],
  { options }: PoolSet,
  notesBeside: string,
): Promise<void> =>
  removeReplicaParts({ replicas, options, notesBeside }).catch(error => {
    if (!hasCode(error, 'ERR_PART_MISSING', 'ERR_PART_SIZE', 'ERR_HEADER_INVALID')) throw error
    throw new RpmemError(error.code, error.message, {
      facts: error.facts,
      hint: 'The pool is not whole, so nothing of it was removed; --force removes what is there.',
    })
  })

async function carryOut({ what, remove }: Removal, { json = false, force }: RmFlags, io: Io): Promise<boolean> {
  const error: unknown = await remove().then(
    () => undefined,
    reason => reason,
  )
  const absent = force === true && hasCode(error, 'ERR_PART_MISSING')
  const failed = error !== undefined && !absent
  const failure = failed ? describe(error).join(': ') : undefined
  if (json) io.out(`${JSON.stringify({ what, removed: error === undefined, failure })}\n`)
  else if (failed) io.err(errorText(error, io, `${paintFor(io).bad('not removed')} ${what}:`))
  else io.out(`${absent ? 'not there' : 'removed'} ${what}\n`)
  return !failed
}
