import { readFile } from 'node:fs/promises'
import { assert, type ReplicaRecord, systemCode } from '../core/index.js'
import { BufferMemory } from '../fabric-native/index.js'
import { localReplicas, type PoolSet, remoteReplicas, requirePlan } from '../poolset/index.js'
import { DirtyMap } from './dirty-map.js'
import { placesOf } from './pool-places.js'
import type { PoolStatus } from './pool-status.js'
import { RecordFile, recordPath } from './record-file.js'
import { mapPath } from './replica-notes.js'
import { StatusNote, statusPath } from './status-note.js'

/** What is known on this machine of the copies of a pool, whether the pool is open or not. */
export interface SetNotes {
  /** Of the copy here; undefined if it never had one. */
  readonly record: ReplicaRecord | undefined
  /** Each remote replica, in the order of the pool set. */
  readonly replicas: readonly NotedReplica[]
  /** As the process saw it that has the pool open or had it last; undefined if none has noted anything. */
  readonly status: PoolStatus | undefined
}

export interface NotedReplica {
  /** 'user@node2:22 remote.set' */
  readonly name: string
  /** It has to get at least so much; undefined if nothing was ever noted. */
  readonly missingBytes: number | undefined
  /** Nothing beyond that is missing; else everything is compared when it is reached next. */
  readonly isWhole: boolean
  /** Id of the generation in which it was last known to be. */
  readonly generation: string | undefined
}

/** Reads without locking: of a pool that is in use the answer may be a moment old. ERR_RECORD, errors of the plan. */
export async function readNotes(set: PoolSet, setFile?: string): Promise<SetNotes> {
  const first = notesBeside(set, setFile)
  const { poolSize } = requirePlan(set)
  // First what may be too good by now, then what is durable before anybody is told of success: together they are not too good.
  const status = new StatusNote(statusPath(first)).read()
  const replicas = remoteReplicas(set).map(({ node, set: name }) => readMap(first, `${node} ${name}`, poolSize))
  return { status, replicas: await Promise.all(replicas), record: new RecordFile(recordPath(first)).read() }
}

/** What ReplicaParts.notesBeside is while the copy is open. */
export function notesBeside(set: PoolSet, setFile: string | undefined): string {
  const replica = localReplicas(set)[0]
  assert(replica, 'a pool set has a local replica')
  const [first] = placesOf(replica)
  assert(first, 'a replica has parts')
  return replica.parts[0]?.kind === 'device-dax' && setFile !== undefined ? setFile : first.path
}

async function readMap(first: string, name: string, poolSize: number): Promise<NotedReplica> {
  try {
    const bytes = await readFile(mapPath(first, name))
    const memory = new BufferMemory(Math.max(bytes.length, DirtyMap.sizeFor(poolSize)))
    memory.copyIn(0, bytes)
    const { dirtyBytes, isWhole, base } = DirtyMap.load(memory, poolSize)
    return { name, missingBytes: dirtyBytes, isWhole, generation: base }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    return { name, missingBytes: undefined, isWhole: false, generation: undefined }
  }
}
