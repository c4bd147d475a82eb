import { lstat } from 'node:fs/promises'
import { hasCode, type PoolAttributes, pageSize, type ReplicaRecord } from '../core/index.js'
import { type Memory, NativeMemory } from '../fabric-native/index.js'
import type { LocalReplicaSpec, PoolSet, RemoteReplicaSpec } from '../poolset/index.js'
import { placesOf } from './pool-places.js'
import { RecordFile, recordPath } from './record-file.js'
import type { RemoteCopies } from './remote-copy.js'
import { openReplicaParts } from './replica-creation.js'
import type { ReplicaParts } from './replica-parts.js'
import type { Storage } from './storage.js'

/**
 * `absent`: nothing is there. `unfinished`: a copy that was being made. `damaged`: parts are missing, of another size, or their
 * headers make no sense. `unreachable`: nothing can be said.
 */
export type Condition = 'good' | 'absent' | 'unfinished' | 'damaged' | 'unreachable'

interface Surveyed {
  /** In the pool set. */
  readonly index: number
  readonly name: string
  readonly condition: Condition
  /** Why it is not good. */
  readonly error?: unknown
  /** As found; undefined without headers, and of what could not be opened. */
  readonly attributes?: PoolAttributes | undefined
  readonly record?: ReplicaRecord | undefined
}

/** `parts` are open and locked, of one that is good and of an unfinished one that has all of them. */
export interface SurveyedLocal extends Surveyed {
  readonly kind: 'local'
  readonly spec: LocalReplicaSpec
  readonly parts?: ReplicaParts
}

export interface SurveyedRemote extends Surveyed {
  readonly kind: 'remote'
  readonly spec: RemoteReplicaSpec
}

export interface SurveyRequest {
  readonly set: PoolSet
  readonly setFile: string
  readonly storage: Storage
  readonly copies?: RemoteCopies | undefined
  readonly signal?: AbortSignal | undefined
}

export const localName = (index: number): string => (index === 0 ? 'master' : `local replica ${index}`)
export const remoteName = ({ node, set }: RemoteReplicaSpec): string => `${node} ${set}`

/** The local replicas of a closed pool, open from now on: their owner closes them. ERR_POOL_BUSY, ERR_PART_ACCESS. */
export async function surveyLocals(request: SurveyRequest): Promise<SurveyedLocal[]> {
  const found: SurveyedLocal[] = []
  try {
    for (const [index, spec] of request.set.replicas.entries()) {
      if (spec.kind === 'local') found.push(await surveyLocal(request, index, spec))
    }
    return found
  } catch (error) {
    for (const { parts } of found) await parts?.close()
    throw error
  }
}

export async function surveyLocal(
  request: SurveyRequest,
  index: number,
  spec: LocalReplicaSpec,
): Promise<SurveyedLocal> {
  const { set, setFile, storage } = request
  const known = { kind: 'local', index, name: localName(index), spec } as const
  try {
    const parts = await openReplicaParts({ parts: placesOf(spec), options: set.options, storage, notesBeside: setFile })
    const record = index === 0 || parts.notesBeside !== setFile ? readRecord(parts) : undefined
    const condition = record?.syncing ? 'unfinished' : 'good'
    return { ...known, condition, parts, attributes: parts.attributes, record }
  } catch (error) {
    if (!isLoss(error)) throw error
    return { ...known, condition: await conditionOf(spec), error }
  }
}

/** A damaged record is as good as none: it stands for no content. */
function readRecord(parts: ReplicaParts): ReplicaRecord | undefined {
  try {
    return parts.record.read()
  } catch (error) {
    if (hasCode(error, 'ERR_RECORD')) return undefined
    throw error
  }
}

async function conditionOf(spec: LocalReplicaSpec): Promise<Condition> {
  const paths = spec.parts.flatMap(part =>
    part.kind === 'directory' ? part.files.map(({ path }) => path) : [part.path],
  )
  const there: boolean[] = []
  for (const path of paths) there.push(await exists(path))
  if (!there.some(Boolean)) return 'absent'
  const [first] = paths
  return first !== undefined && new RecordFile(recordPath(first)).read()?.syncing ? 'unfinished' : 'damaged'
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  )

/** What a loss or a half loss of a replica shows as; anything else says nothing about its content. */
const isLoss = (error: unknown): boolean =>
  hasCode(error, 'ERR_PART_MISSING', 'ERR_PART_SIZE', 'ERR_HEADER_INVALID', 'ERR_SHUTDOWN_STATE')

/** Each is opened for a moment, and none is changed. `claim`: the record of the copy here. `whole`: each has to hold so much. */
export async function surveyRemotes(
  request: SurveyRequest,
  claim: ReplicaRecord | undefined,
  whole?: { readonly memory: Memory; readonly size: number },
): Promise<SurveyedRemote[]> {
  const specs = [...request.set.replicas.entries()]
  const memory = whole ? undefined : NativeMemory.anonymous(pageSize)
  const { memory: seen, size } = whole ?? { memory: memory as Memory, size: pageSize }
  try {
    return await Promise.all(
      specs.flatMap(([index, spec]) =>
        spec.kind === 'remote' ? [surveyRemote(request, index, spec, seen, size, claim)] : [],
      ),
    )
  } finally {
    memory?.close()
  }
}

async function surveyRemote(
  { copies, signal }: SurveyRequest,
  index: number,
  spec: RemoteReplicaSpec,
  memory: Memory,
  size: number,
  claim: ReplicaRecord | undefined,
): Promise<SurveyedRemote> {
  const known = { kind: 'remote', index, name: remoteName(spec), spec } as const
  if (!copies) return { ...known, condition: 'unreachable', error: new Error('nothing was given that reaches targets') }
  try {
    const { node, set } = spec
    const remote = await copies.open({ node, set, memory, size, claim, ...(signal && { signal }) })
    const { attributes, keeping } = remote
    await remote.close()
    const record = keeping?.record
    return { ...known, condition: record?.syncing ? 'unfinished' : 'good', attributes, record }
  } catch (error) {
    signal?.throwIfAborted()
    const lost = isLoss(error)
    return {
      ...known,
      condition: lost ? (hasCode(error, 'ERR_PART_MISSING') ? 'absent' : 'damaged') : 'unreachable',
      error,
    }
  }
}
