import { rm } from 'node:fs/promises'
import {
  assert,
  formatBytes,
  type Lineage,
  type PoolAttributes,
  pageSize,
  type Random,
  type ReplicaRecord,
  RpmemError,
  systemClock,
  systemRandom,
} from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { loadPoolSet, type PoolSet, remoteReplicas, requirePlan } from '../poolset/index.js'
import {
  LocalCopyInTheMaking,
  type LocalMaking,
  makeEqual,
  pulled,
  RemoteCopyInTheMaking,
  type RemoteMaking,
} from './copy-in-the-making.js'
import { LocalReplica } from './local-replica.js'
import { nativeStorage } from './native-storage.js'
import { existingPlacesOf, placesOf } from './pool-places.js'
import { RecordFile, recordPath } from './record-file.js'
import type { RemoteCopies } from './remote-copy.js'
import { attributesAt, knownUuids } from './replica-links.js'
import { mapPath } from './replica-notes.js'
import { removePart } from './replica-removal.js'
import { type SurveyedLocal, type SurveyedRemote, surveyLocals, surveyRemotes } from './replica-survey.js'
import { chooseSource, lineageAfter, type Surveyed } from './restoration-source.js'
import { notesBeside } from './set-notes.js'
import { perform, type Step, type StepOptions } from './step.js'
import type { Storage } from './storage.js'
import { newUuid, uuidsEqual } from './uuid.js'
import { verifiable } from './verifiable.js'
import { differingBytes, type VerifyOptions, verify } from './verification.js'

export interface RestoreOptions extends StepOptions, Pick<VerifyOptions, 'bytesPerSecond' | 'onProgress' | 'signal'> {
  /** How remote replicas are reached. */
  readonly copies?: RemoteCopies
  /** The replica that is believed, by its name; default: the master, else the one that is ahead of the others. */
  readonly from?: string
  /** Also overwrite what is left of a replica that is damaged. */
  readonly force?: boolean
  readonly storage?: Storage
  readonly random?: Random
}

export interface Restoration {
  /** What was done, or would be, in order. */
  readonly steps: readonly string[]
  /** The replica that was believed. */
  readonly source: string
  /** Not restored and not verified: they could not be reached. */
  readonly unreachable: readonly { readonly replica: string; readonly error: unknown }[]
}

/**
 * Makes every lost replica of a closed pool again from one that is good, the master too, and verifies those that were there; when it
 * resolves without `unreachable` ones, all replicas were found equal, checksum by checksum. A replica is lost if parts of it are
 * missing or make no sense. ERR_POOL_BUSY; ERR_RECORD: none is good; ERR_REPLICA_DIVERGED: `from` has to decide; ERR_PART_EXISTS:
 * something is left of one, and `force` is not set; ERR_COPY_DIFFERS. Source: pmempool-sync(1).
 */
export async function restore(setFile: string, options: RestoreOptions = {}): Promise<Restoration> {
  const { storage = nativeStorage, copies, signal } = options
  const set = await loadPoolSet(setFile)
  requirePlan(set)
  const request = { set, setFile, storage, copies, signal }
  const locals = await surveyLocals(request)
  const workshop = new RestorationWorkshop(set, setFile, locals, options)
  try {
    const remotes = await surveyRemotes(request, locals[0]?.condition === 'good' ? locals[0].record : undefined)
    return await workshop.restore(remotes)
  } finally {
    await workshop.close()
  }
}

class RestorationWorkshop {
  readonly #set: PoolSet
  readonly #setFile: string
  readonly #locals: readonly SurveyedLocal[]
  readonly #options: RestoreOptions
  readonly #random: Random
  readonly #made: { close(): Promise<void> }[] = []
  readonly #size: number
  readonly #base: number
  /** Of the master; it is made by the first step if it is lost. */
  #memory: Memory | undefined

  constructor(set: PoolSet, setFile: string, locals: readonly SurveyedLocal[], options: RestoreOptions) {
    this.#set = set
    this.#setFile = setFile
    this.#locals = locals
    this.#options = options
    this.#random = options.random ?? systemRandom
    this.#size = requirePlan(set).poolSize
    this.#base = set.options.noHeaders ? 0 : pageSize
  }

  async restore(remotes: readonly SurveyedRemote[]): Promise<Restoration> {
    const all = [...this.#locals, ...remotes].sort((one, other) => one.index - other.index)
    const source = chooseSource(all, this.#options.from)
    const unreachable = remotes.filter(({ condition }) => condition === 'unreachable')
    const steps = this.#steps(all, source)
    await perform(steps, this.#options)
    return {
      steps: steps.map(({ text }) => text),
      source: source.name,
      unreachable: unreachable.map(({ name: replica, error }) => ({ replica, error })),
    }
  }

  async close(): Promise<void> {
    for (const made of this.#made) await made.close().catch(() => {})
    for (const { parts } of this.#locals) await parts?.close()
  }

  #steps(all: readonly Surveyed[], source: Surveyed): Step[] {
    const [master, ...others] = all
    assert(master?.kind === 'local', 'the first replica of a set is local')
    const { attributes } = source
    const uuids = attributes && this.#uuids(all, attributes)
    const attributesOf = (index: number) => attributes && uuids && attributesAt(index, uuids, attributes)
    const lineage = lineageAfter(source, all, this.#random)
    const rebuilt = source.index !== 0
    if (!rebuilt) this.#memory = master.parts?.memory
    const lost = others.filter(({ condition }) => condition !== 'good' && condition !== 'unreachable')
    const good = others.filter(({ condition, name }) => condition === 'good' && !(rebuilt && name === source.name))
    return [
      ...(rebuilt ? this.#masterSteps(master, source, attributesOf(0), lineage) : []),
      ...lost.flatMap(replica =>
        replica.kind === 'local'
          ? this.#localSteps(replica, attributesOf(replica.index), lineage)
          : this.#remoteSteps(replica, attributesOf(replica.index), lineage),
      ),
      // Last, because one that differs ends it.
      ...good.map(replica => this.#verifyStep(replica)),
    ]
  }

  /** A replica that can neither be read nor is named by a neighbour gets an identifier of its own only if it is made anew. */
  #uuids(all: readonly Surveyed[], like: PoolAttributes): Uint8Array[] {
    const ofPool = all.map(({ condition, attributes }) =>
      condition === 'good' && attributes && uuidsEqual(attributes.poolsetUuid, like.poolsetUuid)
        ? attributes
        : undefined,
    )
    return knownUuids(ofPool).map((uuid, index) => {
      const replica = all[index]
      if (uuid) return uuid
      if (replica?.condition !== 'unreachable') return newUuid(this.#random)
      throw RpmemError.wrap(
        'ERR_TARGET_LOST',
        `how ${replica.name} is linked to the others is not known`,
        replica.error,
        {
          facts: { replica: replica.name },
          hint: 'Restore once it can be reached, or transform the pool set into one without it.',
        },
      )
    })
  }

  #masterSteps(
    master: SurveyedLocal,
    source: Surveyed,
    attributes: PoolAttributes | undefined,
    lineage: Lineage,
  ): Step[] {
    return [
      ...this.#clearing(master),
      {
        text: `make the master from ${source.name}, ${formatBytes(this.#size)}, and verify every block`,
        act: async () => {
          const copy = await this.#localCopy(master, attributes, lineage)
          this.#memory = copy.memory
          if (source.kind === 'local')
            await this.#equal(source.parts?.memory, copy.sink(source.parts?.memory ?? copy.memory))
          else await this.#pull(source, copy.memory)
          await copy.finish()
          if (source.kind === 'remote') await this.#adopt(source, lineage)
        },
      },
    ]
  }

  #localSteps(replica: SurveyedLocal, attributes: PoolAttributes | undefined, lineage: Lineage): Step[] {
    return [
      ...this.#clearing(replica),
      {
        text: this.#makeText(replica),
        act: async () => {
          const copy = await this.#localCopy(replica, attributes, lineage)
          await this.#equal(this.#memory, copy.sink(this.#master))
          await copy.finish()
        },
      },
    ]
  }

  #remoteSteps(replica: SurveyedRemote, attributes: PoolAttributes | undefined, lineage: Lineage): Step[] {
    const { copies, force = false, signal } = this.#options
    assert(copies, 'what was reached can be reached')
    const { spec, name, condition } = replica
    if (condition === 'damaged' && !force) throw leftOver(replica)
    const clearing: Step[] =
      force && condition !== 'unfinished'
        ? [{ text: `remove what is left of ${name}`, act: () => copies.remove(spec.node, spec.set, { force: true }) }]
        : []
    return [
      ...clearing,
      {
        text: this.#makeText(replica),
        act: async () => {
          const memory = this.#master
          await this.#forget(name, lineage)
          const making: RemoteMaking = { name, spec, copies, memory, attributes, lineage, ...this.#making, signal }
          const copy = await (condition === 'unfinished'
            ? RemoteCopyInTheMaking.resume(making)
            : RemoteCopyInTheMaking.create(making))
          try {
            await this.#equal(memory, copy.sink())
            await copy.finish()
          } catch (error) {
            await copy.undo().catch(() => {})
            throw error
          }
          await copy.close()
        },
      },
    ]
  }

  #makeText({ name, condition }: Surveyed): string {
    const what = condition === 'unfinished' ? 'finish' : 'make'
    return `${what} ${name} from the master, ${formatBytes(this.#size)}, and verify every block`
  }

  get #making() {
    return { size: this.#size, random: this.#random }
  }

  /** What is left of a replica stands in the way of its successor. */
  #clearing(replica: SurveyedLocal): Step[] {
    const { name, condition, parts, spec } = replica
    if (condition === 'absent' || (condition === 'unfinished' && parts)) return []
    if (condition !== 'unfinished' && !this.#options.force) throw leftOver(replica)
    const places = existingPlacesOf(spec)
    return [
      {
        text: `remove what is left of ${name}`,
        act: async () => {
          await parts?.close()
          for (const { path, staged } of places) {
            await removePart(path, { staged, storage: this.#storage }).catch(ignoreMissing)
          }
        },
      },
    ]
  }

  async #localCopy(
    { name, index, spec, parts, condition }: SurveyedLocal,
    attributes: PoolAttributes | undefined,
    lineage: Lineage,
  ): Promise<LocalCopyInTheMaking> {
    const making: LocalMaking = {
      name,
      places: placesOf(spec),
      onDevice: spec.parts[0]?.kind === 'device-dax',
      options: this.#set.options,
      storage: this.#storage,
      notesBeside: this.#setFile,
      keepsRecord: index === 0 && remoteReplicas(this.#set).length > 0,
      attributes,
      lineage,
      random: this.#random,
    }
    const resumes = condition === 'unfinished' && parts
    const copy = resumes ? LocalCopyInTheMaking.resume(parts, making) : await LocalCopyInTheMaking.create(making)
    this.#made.push(copy)
    return copy
  }

  async #pull(source: SurveyedRemote, memory: Memory): Promise<void> {
    const remote = await this.#open(source, memory, undefined)
    try {
      await this.#equal(memory, { ...pulled(memory, remote), name: 'master' })
    } finally {
      await remote.close()
    }
  }

  /** The replica that the master was made of is of the master's generation from now on. */
  async #adopt(source: SurveyedRemote, lineage: Lineage): Promise<void> {
    const remote = await this.#open(source, this.#master, { lineage, closed: true, syncing: false, touched: false })
    try {
      await remote.keeping?.adopt({ lineage, closed: false, syncing: false, touched: false })
    } finally {
      await remote.close()
    }
  }

  #open({ spec: { node, set } }: SurveyedRemote, memory: Memory, claim: ReplicaRecord | undefined) {
    const { copies, signal } = this.#options
    assert(copies, 'what was reached can be reached')
    return copies.open({ node, set, memory, size: this.#size, claim, ...(signal && { signal }) })
  }

  #verifyStep(replica: Surveyed): Step {
    const { name } = replica
    return {
      text: `verify ${name} against the master, ${formatBytes(this.#size)}`,
      act: async () => {
        if (replica.kind === 'local') {
          const memory = replica.parts?.memory
          assert(memory, 'a good local replica is open')
          const local = new LocalReplica(name, memory, { close: async () => {} }, this.#master)
          return this.#verify(verifiable(local, this.#master))
        }
        const record = new RecordFile(recordPath(notesBeside(this.#set, this.#setFile))).read()
        const remote = await this.#open(replica, this.#master, record)
        try {
          await this.#verify(verifiable(remote, this.#master))
        } finally {
          await remote.close()
        }
      },
    }
  }

  async #verify(replica: Parameters<typeof verify>[1]): Promise<void> {
    const request = { ...this.#looking, master: this.#master, base: this.#base, size: this.#size, clock: systemClock }
    const found = await verify({ ...request, quiet: true }, replica)
    if (differingBytes(found) === 0) return
    throw new RpmemError(
      'ERR_COPY_DIFFERS',
      `${replica.name} differs from the master in ${differingBytes(found)} bytes`,
      {
        facts: { replica: replica.name, differingBytes: differingBytes(found) },
        hint: '`rpmem sync SET` sends what it is known to miss, `rpmem verify SET --repair` whatever differs.',
      },
    )
  }

  #equal(master: Memory | undefined, copy: Parameters<typeof verify>[1]): Promise<void> {
    assert(master, 'there is something to copy from')
    return makeEqual(master, { base: this.#base, size: this.#size }, copy, this.#looking)
  }

  get #looking(): Pick<VerifyOptions, 'bytesPerSecond' | 'onProgress' | 'signal'> {
    const { bytesPerSecond, onProgress, signal } = this.#options
    return {
      ...(bytesPerSecond !== undefined && { bytesPerSecond }),
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
    }
  }

  /** What the new copy will miss is unknown until it is whole; and the master needs the record that the copy gets. */
  async #forget(replica: string, lineage: Lineage): Promise<void> {
    const beside = notesBeside(this.#set, this.#setFile)
    await rm(mapPath(beside, replica), { force: true })
    const record = new RecordFile(recordPath(beside))
    if (!record.read()) record.write({ lineage, closed: true, syncing: false, touched: false })
  }

  get #storage(): Storage {
    return this.#options.storage ?? nativeStorage
  }

  get #master(): Memory {
    assert(this.#memory, 'the master is there, or was made by the first step')
    return this.#memory
  }
}

function leftOver({ name, condition, error }: Surveyed): RpmemError {
  return RpmemError.wrap('ERR_PART_EXISTS', `${name} is ${condition}, and something of it is left`, error, {
    facts: { replica: name },
    hint: 'Look at the cause; --force removes what is left of it and makes it anew.',
  })
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof RpmemError) || error.code !== 'ERR_PART_MISSING') throw error
}
