import { hasCode, systemClock } from '../core/index.js'
import { loadPoolSet } from '../poolset/index.js'
import { nativeStorage } from './native-storage.js'
import { openForComparison } from './pool-assembly.js'
import type { OpenPoolOptions } from './pool-options.js'
import { notesBeside } from './set-notes.js'
import { StatusNote, statusPath } from './status-note.js'
import { verifiable } from './verifiable.js'
import { isEqualThroughout, type Verification, type VerifyOptions, verify } from './verification.js'

/** A replica that could be compared, or why not. */
export type Comparison =
  | { readonly replica: string; readonly found: Verification; readonly error?: undefined }
  | { readonly replica: string; readonly error: unknown; readonly found?: undefined }

export interface CompareOptions extends Omit<VerifyOptions, 'repair'>, Pick<OpenPoolOptions, 'connectRemote'> {}

/**
 * Compares every replica of a closed pool with the master, and changes neither a copy that differs nor what is noted of what
 * it misses; only the time of a comparison that found all equal is noted. Each replica is judged by itself, in the order local,
 * remote; none is left out. ERR_POOL_BUSY, errors of the master.
 */
export async function compareReplicas(file: string, options: CompareOptions = {}): Promise<Comparison[]> {
  const { connectRemote, ...looking } = options
  const opening = { storage: nativeStorage, setFile: file, ...(connectRemote && { connectRemote }) }
  const { signal } = looking
  const set = await loadPoolSet(file)
  const { master, locals, remotes, base, size, close } = await openForComparison(set, {
    ...opening,
    ...(signal && { signal }),
  })
  const request = { ...looking, master: master.memory, base, size, clock: systemClock }
  const judge = async (replica: string, verifying: () => Promise<Verification>): Promise<Comparison> => {
    try {
      return { replica, found: await verifying() }
    } catch (error) {
      signal?.throwIfAborted()
      // A mistake of the caller, not of the replica.
      if (hasCode(error, 'ERR_RANGE')) throw error
      return { replica, error }
    }
  }
  try {
    const compare = (replica: Parameters<typeof verifiable>[0]) => verify(request, verifiable(replica, master.memory))
    const all = await Promise.all([
      ...locals.map(local => judge(local.name, () => compare(local))),
      ...remotes.map(({ name, outcome }) =>
        judge(name, async () => {
          if (outcome.status === 'rejected') throw outcome.reason
          return compare(outcome.value)
        }),
      ),
    ])
    const equal = all.flatMap(({ found }) => (found && isEqualThroughout(found, size - base) ? [found.replica] : []))
    new StatusNote(statusPath(notesBeside(set, file))).verified(equal)
    return all
  } finally {
    await close()
  }
}
