import {
  assert,
  descend,
  type Lineage,
  type Random,
  type ReplicaRecord,
  RpmemError,
  systemRandom,
} from '../core/index.js'
import { localReplicas, type PoolSet } from '../poolset/index.js'
import { nativeStorage } from './native-storage.js'
import { newGeneration } from './pool-lineage.js'
import { placesOf } from './pool-places.js'
import { openReplicaParts } from './replica-creation.js'
import type { Storage } from './storage.js'

export interface PromoteOptions {
  /** Look, and change nothing. */
  readonly dryRun?: boolean
  /** Also a copy that was being brought up to date, whose content is that of no one moment. */
  readonly force?: boolean
  readonly storage?: Storage
  readonly random?: Random
  /** The file that the set was read from: the notes of a copy on a device lie beside it. */
  readonly setFile?: string
}

/**
 * Makes the copy on this node the one that is written from now on: it begins a generation of its own, so that the writer it was
 * a replica of is refused until it has been brought up to date. Resolves with the lineage before and after. Nobody may have the
 * copy open: ERR_POOL_BUSY. A copy without a record, or one in the middle of a resync, is ERR_RECORD.
 */
export async function promote(
  set: PoolSet,
  options: PromoteOptions = {},
): Promise<{ before: Lineage; after: Lineage }> {
  const { storage = nativeStorage, random = systemRandom, setFile: notesBeside } = options
  const replica = localReplicas(set)[0]
  assert(replica, 'a pool set has a local replica')
  const parts = await openReplicaParts({ parts: placesOf(replica), options: set.options, storage, notesBeside })
  try {
    const record = checked(parts.record.read(), options.force === true)
    const after = descend(record.lineage, newGeneration(random, 'promoted'))
    if (!options.dryRun) parts.record.write({ lineage: after, closed: true, syncing: false, touched: false })
    return { before: record.lineage, after }
  } finally {
    await parts.close()
  }
}

function checked(record: ReplicaRecord | undefined, force: boolean): ReplicaRecord {
  if (!record) {
    throw new RpmemError('ERR_RECORD', 'this copy has no record of what it has been through', {
      hint: 'Every replica that was opened by this version has one. Without it no writer would be refused, so nothing needs promoting.',
    })
  }
  if (record.syncing && !force) {
    throw new RpmemError('ERR_RECORD', 'this copy was being brought up to date and is of no one moment', {
      hint: 'Promote another copy, or let the resync end; force takes it as it is.',
    })
  }
  return record
}
