import { rm, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  assert,
  formatBytes,
  type Lineage,
  type PoolAttributes,
  pageSize,
  type Random,
  RpmemError,
  systemRandom,
} from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import {
  type LocalReplicaSpec,
  loadPoolSet,
  type PoolSet,
  type RemoteReplicaSpec,
  type ReplicaSpec,
  remoteReplicas,
} from '../poolset/index.js'
import {
  type CopyInTheMaking,
  LocalCopyInTheMaking,
  type LocalMaking,
  makeEqual,
  RemoteCopyInTheMaking,
  type RemoteMaking,
} from './copy-in-the-making.js'
import { nativeStorage } from './native-storage.js'
import { removeNotes } from './note-removal.js'
import { newLineage } from './pool-lineage.js'
import { placesOf } from './pool-places.js'
import { RecordFile, recordPath } from './record-file.js'
import type { RemoteCopies } from './remote-copy.js'
import { attributesAt, knownUuids } from './replica-links.js'
import { mapPath } from './replica-notes.js'
import { removePart } from './replica-removal.js'
import {
  type SurveyedLocal,
  type SurveyedRemote,
  type SurveyRequest,
  surveyLocal,
  surveyLocals,
  surveyRemotes,
} from './replica-survey.js'
import { notesBeside } from './set-notes.js'
import { perform, type Step, type StepOptions } from './step.js'
import type { Storage } from './storage.js'
import { differenceOf, nameOfSpec, type SetDifference } from './transformation-plan.js'
import { newUuid, uuidsEqual } from './uuid.js'
import type { VerifyOptions } from './verification.js'

export interface TransformOptions extends StepOptions, Pick<VerifyOptions, 'bytesPerSecond' | 'onProgress' | 'signal'> {
  /** How remote replicas are reached. */
  readonly copies?: RemoteCopies
  readonly storage?: Storage
  readonly random?: Random
}

/**
 * Makes the closed pool of one set that of another: replicas are added, removed, reordered or take other parts, at once if wished.
 * What is added is copied from the master and verified before anything else changes; what is removed goes last, and a target that
 * cannot be reached is left. After a failure the pool is that of the old set; after a crash the same call goes on. Resolves with what
 * was done, or with `dryRun` would be. ERR_POOLSET_UNSUITABLE, ERR_POOL_BUSY, ERR_PART_EXISTS, ERR_DISK_FULL, ERR_RECORD: a replica
 * that stays is not whole; ERR_TARGET_LOST: one whose links change cannot be reached. Source: pmempool-transform(1).
 */
export async function transform(from: string, to: string, options: TransformOptions = {}): Promise<readonly string[]> {
  const { storage = nativeStorage, copies, signal } = options
  const [before, after] = [await loadPoolSet(from), await loadPoolSet(to)]
  const difference = differenceOf(before, after)
  const request = { set: before, setFile: from, storage, copies, signal }
  const locals = await surveyLocals(request)
  const workshop = new TransformWorkshop({ before, after, from, to, difference, locals, request }, options)
  try {
    const steps = await workshop.steps(await surveyRemotes(request, locals[0]?.record))
    return await perform(steps, options)
  } catch (error) {
    await workshop.undo()
    throw error
  } finally {
    await workshop.close()
  }
}

interface Task {
  readonly before: PoolSet
  readonly after: PoolSet
  readonly from: string
  readonly to: string
  readonly difference: SetDifference
  /** Of the old set, open. */
  readonly locals: readonly SurveyedLocal[]
  readonly request: SurveyRequest
}

type Surveyed = SurveyedLocal | SurveyedRemote

/** Links of a replica that stays, as they were and are to be. */
interface Relinking {
  readonly replica: Surveyed
  readonly now: PoolAttributes
  readonly next: PoolAttributes
}

class TransformWorkshop {
  readonly #task: Task
  readonly #options: TransformOptions
  readonly #random: Random
  readonly #made: CopyInTheMaking[] = []
  readonly #found: SurveyedLocal[] = []
  readonly #needed = new Map<number, number>()
  #relinked: Relinking[] = []
  #committed = false

  constructor(task: Task, options: TransformOptions) {
    this.#task = task
    this.#options = options
    this.#random = options.random ?? systemRandom
  }

  async steps(remotes: readonly SurveyedRemote[]): Promise<Step[]> {
    const { difference, locals } = this.#task
    const old = [...locals, ...remotes].sort((one, other) => one.index - other.index)
    const uuids = this.#uuids(old)
    const attributesOf = (index: number) => {
      const { attributes } = this.#master
      return attributes && attributesAt(index, uuids, attributes)
    }
    const lineage = this.#master.record?.lineage ?? newLineage(this.#random, 'created')
    const adding: Step[] = []
    for (const kind of ['local', 'remote']) {
      for (const [index, fate] of difference.replicas.entries()) {
        if (fate.kind !== 'added' || fate.spec.kind !== kind) continue
        adding.push(await this.#addStep(index, fate.spec, attributesOf(index), lineage))
      }
    }
    const removing = difference.removed.map(index => this.#removeStep(old, index))
    if (adding.length + removing.length === 0 && !this.#reorders) return []
    return [...adding, this.#linkStep(this.#relinkings(old, attributesOf), lineage), ...removing]
  }

  /** A failure before the new set holds leaves the old one. */
  async undo(): Promise<void> {
    if (this.#committed) return
    for (const { replica, now } of this.#relinked) await this.#relink(replica, now).catch(() => {})
    for (const copy of this.#made) await copy.undo().catch(() => {})
  }

  async close(): Promise<void> {
    for (const copy of this.#made) await copy.close().catch(() => {})
    for (const { parts } of [...this.#found, ...this.#task.locals]) await parts?.close()
  }

  get #reorders(): boolean {
    return this.#task.difference.replicas.some((fate, index) => fate.kind === 'kept' && fate.before !== index)
  }

  #uuids(old: readonly Surveyed[]): Uint8Array[] {
    const known = knownUuids(old.map(({ attributes }) => attributes))
    return this.#task.difference.replicas.map(fate => {
      const uuid = fate.kind === 'kept' ? known[fate.before] : undefined
      return uuid ?? newUuid(this.#random)
    })
  }

  /** Those that stay, with their new neighbours. */
  #relinkings(old: readonly Surveyed[], attributesOf: (index: number) => PoolAttributes | undefined): Relinking[] {
    return this.#task.difference.replicas.flatMap((fate, index) => {
      if (fate.kind === 'added') return []
      const replica = old[fate.before]
      assert(replica, 'what stays was surveyed')
      if (replica.kind === 'local' && replica.condition !== 'good') throw notWhole(replica)
      const next = attributesOf(index)
      const now = replica.attributes
      if (!next || (now && uuidsEqual(now.prevUuid, next.prevUuid) && uuidsEqual(now.nextUuid, next.nextUuid)))
        return []
      if (now && replica.condition === 'good') return [{ replica, now, next }]
      throw notWhole(replica)
    })
  }

  async #addStep(
    index: number,
    spec: ReplicaSpec,
    attributes: PoolAttributes | undefined,
    lineage: Lineage,
  ): Promise<Step> {
    const { size } = this.#task.difference
    const name = nameOfSpec(spec)
    const make = await (spec.kind === 'local'
      ? this.#localMaker(index, spec, attributes, lineage)
      : this.#remoteMaker(index, spec, attributes, lineage))
    return {
      text: `add ${name}: copy ${formatBytes(size)} from the master and verify every block`,
      act: async () => {
        const { copy, sink } = await make()
        this.#made.push(copy)
        const { bytesPerSecond, onProgress, signal } = this.#options
        await makeEqual(this.#memory, { base: this.#base, size }, sink, {
          ...(bytesPerSecond !== undefined && { bytesPerSecond }),
          ...(onProgress && { onProgress }),
          ...(signal && { signal }),
        })
      },
    }
  }

  async #localMaker(
    index: number,
    spec: LocalReplicaSpec,
    attributes: PoolAttributes | undefined,
    lineage: Lineage,
  ): Promise<() => Promise<{ copy: CopyInTheMaking; sink: Parameters<typeof makeEqual>[2] }>> {
    const { after, to, request } = this.#task
    const found = await surveyLocal({ ...request, set: after, setFile: to }, index, spec)
    this.#found.push(found)
    const resumes = this.#isOurs(found) && found.parts
    if (!resumes && found.condition !== 'absent') throw inTheWay(nameOfSpec(spec), found.error)
    if (!resumes) await checkRoom(spec, this.#needed)
    const making: LocalMaking = {
      name: nameOfSpec(spec),
      places: placesOf(spec),
      onDevice: spec.parts[0]?.kind === 'device-dax',
      options: after.options,
      storage: request.storage,
      notesBeside: to,
      keepsRecord: index === 0 && remoteReplicas(after).length > 0,
      attributes,
      lineage,
      random: this.#random,
    }
    return async () => {
      const copy = resumes ? LocalCopyInTheMaking.resume(resumes, making) : await LocalCopyInTheMaking.create(making)
      return { copy, sink: copy.sink(this.#memory) }
    }
  }

  /** The target is asked beforehand whether it could, so that a dry run knows too. */
  async #remoteMaker(
    index: number,
    spec: RemoteReplicaSpec,
    attributes: PoolAttributes | undefined,
    lineage: Lineage,
  ): Promise<() => Promise<{ copy: CopyInTheMaking; sink: Parameters<typeof makeEqual>[2] }>> {
    const { after, to, request, difference } = this.#task
    const { signal } = this.#options
    const copies = this.#copies
    const only = { ...after, replicas: after.replicas.map((each, at) => (at === index ? each : this.#master.spec)) }
    const [found] = await surveyRemotes({ ...request, set: only, setFile: to }, undefined, {
      memory: this.#memory,
      size: difference.size,
    })
    assert(found, 'one was looked for')
    const resumes = this.#isOurs(found)
    if (!resumes && found.condition === 'unreachable') throw found.error
    if (!resumes && found.condition !== 'absent') throw inTheWay(nameOfSpec(spec), found.error)
    const making: RemoteMaking = {
      name: nameOfSpec(spec),
      spec,
      copies,
      memory: this.#memory,
      size: difference.size,
      attributes,
      lineage,
      random: this.#random,
      signal,
    }
    return async () => {
      const copy = await (resumes ? RemoteCopyInTheMaking.resume(making) : RemoteCopyInTheMaking.create(making))
      return { copy, sink: copy.sink() }
    }
  }

  /** A copy that an attempt before this one has begun, or had even finished. */
  #isOurs({ condition, attributes }: Surveyed): boolean {
    const ours = this.#master.attributes
    if (condition === 'unfinished') return true
    return condition === 'good' && !!attributes && !!ours && uuidsEqual(attributes.poolsetUuid, ours.poolsetUuid)
  }

  /** From here on the pool is that of the new set. */
  #linkStep(relinkings: readonly Relinking[], lineage: Lineage): Step {
    const { after, before, from, to } = this.#task
    const [old, next] = [notesBeside(before, from), notesBeside(after, to)]
    return {
      text: `let ${to} describe the pool: link its replicas to each other`,
      act: async () => {
        for (const relinking of relinkings) {
          this.#relinked.push(relinking)
          await this.#relink(relinking.replica, relinking.next)
        }
        for (const copy of this.#made) await copy.finish()
        this.#committed = true
        const record = new RecordFile(recordPath(next))
        const noted = this.#master.record
        if (remoteReplicas(after).length > 0) {
          record.write({ closed: true, syncing: false, touched: false, ...noted, lineage })
        }
        if (old !== next) await removeNotes(old)
        // Lanes keep the master mapped, and so locked, which may be about to go.
        for (const copy of this.#made) await copy.close()
      },
    }
  }

  async #relink(replica: Surveyed, attributes: PoolAttributes): Promise<void> {
    if (replica.kind === 'local') return replica.parts?.setAttributes(attributes)
    const { node, set } = replica.spec
    const claim = this.#master.record
    const request = { node, set, memory: this.#memory, size: this.#task.difference.size, claim }
    const remote = await this.#copies.open(request)
    try {
      await remote.setAttributes(attributes)
    } finally {
      await remote.close()
    }
  }

  #removeStep(old: readonly Surveyed[], index: number): Step {
    const replica = old[index]
    assert(replica, 'what goes was surveyed')
    const name = nameOfSpec(replica.spec)
    if (replica.kind === 'local') return { text: `remove ${name}`, act: () => this.#removeLocal(replica) }
    const { spec, condition } = replica
    const { after, to } = this.#task
    const forget = () => rm(mapPath(notesBeside(after, to), name), { force: true })
    if (condition === 'unreachable') return { text: `leave ${name} as it is, for it cannot be reached`, act: forget }
    const act = async () => {
      await this.#copies.remove(spec.node, spec.set, { force: condition !== 'good' })
      await forget()
    }
    return { text: `remove ${name}`, act }
  }

  async #removeLocal({ spec, parts }: SurveyedLocal): Promise<void> {
    await parts?.close()
    for (const { path, staged } of placesOf(spec)) {
      await removePart(path, { staged, storage: this.#task.request.storage, notesBeside: this.#task.from }).catch(
        (error: unknown) => {
          if (!(error instanceof RpmemError) || error.code !== 'ERR_PART_MISSING') throw error
        },
      )
    }
  }

  get #master(): SurveyedLocal {
    const [master] = this.#task.locals
    assert(master, 'the first replica of a set is local')
    if (master.condition !== 'good') throw notWhole(master)
    return master
  }

  get #memory(): Memory {
    const memory = this.#master.parts?.memory
    assert(memory, 'a good master is open')
    return memory
  }

  get #base(): number {
    return this.#task.after.options.noHeaders ? 0 : pageSize
  }

  get #copies(): RemoteCopies {
    const { copies } = this.#options
    if (copies) return copies
    throw new RpmemError('ERR_POOLSET_UNSUITABLE', 'the pool set has a remote replica, but nothing reaches targets')
  }
}

function notWhole({ name, condition, error }: Surveyed): RpmemError {
  const code = condition === 'unreachable' ? 'ERR_TARGET_LOST' : 'ERR_RECORD'
  return RpmemError.wrap(code, `${name}, which stays, is ${condition}`, error, {
    facts: { replica: name },
    hint: '`rpmem restore SET` makes lost replicas again; one that cannot be reached can be left out of the new set.',
  })
}

const inTheWay = (name: string, cause: unknown): RpmemError =>
  RpmemError.wrap('ERR_PART_EXISTS', `there is something at the place of ${name}`, cause, {
    facts: { replica: name },
    hint: 'A replica that is added must not be there yet; remove what is there if nobody needs it.',
  })

/** Files get all their space when they are made: what does not fit is known beforehand. `needed`: bytes, by file system. */
async function checkRoom({ parts }: LocalReplicaSpec, needed: Map<number, number>): Promise<void> {
  for (const { path, size, kind } of parts) {
    if (kind !== 'file') continue
    const folder = dirname(path)
    const [{ bavail, bsize }, { dev }] = await Promise.all([statfs(folder), stat(folder)]).catch(error => {
      throw RpmemError.wrap('ERR_PART_ACCESS', `no part can be made in ${folder}`, error, { facts: { folder } })
    })
    const bytes = (needed.get(dev) ?? 0) + Number(size)
    needed.set(dev, bytes)
    if (bavail * bsize >= bytes) continue
    throw new RpmemError(
      'ERR_DISK_FULL',
      `${folder} has ${formatBytes(bavail * bsize)} left, ${formatBytes(bytes)} are needed`,
      {
        facts: { folder, bytes, left: bavail * bsize },
      },
    )
  }
}
