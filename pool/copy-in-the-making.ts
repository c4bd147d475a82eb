import { type Lineage, type PoolAttributes, type Random, RpmemError, systemClock } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import type { RemoteReplicaSpec } from '../poolset/index.js'
import type { HeaderOptions, PartPlace } from './layout.js'
import { LocalReplica } from './local-replica.js'
import { RecordFile, recordPath } from './record-file.js'
import type { RemoteCopies, RemoteCopy } from './remote-copy.js'
import { createReplicaParts } from './replica-creation.js'
import type { ReplicaParts } from './replica-parts.js'
import type { Storage } from './storage.js'
import { newUuid } from './uuid.js'
import { verifiable } from './verifiable.js'
import { type Verifiable, type VerifyOptions, verify } from './verification.js'

/**
 * A replica that is being made. Until `finish` nobody takes it for whole, whatever happens: its record says that it is being
 * brought up to date, which no opening passes, and its headers, which PMDK reads, belong to no pool.
 */
export interface CopyInTheMaking {
  readonly name: string
  /** Gives it links and record of a whole one. */
  finish(): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
  /** Closes it, and removes it if it was made here: one that was found unfinished stays so. */
  undo(): Promise<void>
}

export interface Making {
  readonly name: string
  /** As they are to be in the end; undefined without headers. */
  readonly attributes: PoolAttributes | undefined
  readonly lineage: Lineage
  readonly random: Random
}

export interface LocalMaking extends Making {
  readonly places: readonly PartPlace[]
  /** The first of them is a device: notes lie beside the set file, where only one that keeps a record has one. */
  readonly onDevice: boolean
  readonly options: HeaderOptions
  readonly storage: Storage
  readonly notesBeside: string
  /** It keeps a record when it is whole: the master of a pool with remote replicas. */
  readonly keepsRecord: boolean
}

export class LocalCopyInTheMaking implements CopyInTheMaking {
  readonly name: string
  readonly #parts: ReplicaParts
  readonly #making: LocalMaking
  readonly #created: boolean

  private constructor(parts: ReplicaParts, making: LocalMaking, created: boolean) {
    this.name = making.name
    this.#parts = parts
    this.#making = making
    this.#created = created
  }

  /** Goes on with parts that were found unfinished. */
  static resume(parts: ReplicaParts, making: LocalMaking): LocalCopyInTheMaking {
    return new LocalCopyInTheMaking(parts, making, false)
  }

  static async create(making: LocalMaking): Promise<LocalCopyInTheMaking> {
    const { places, options, storage, attributes, random, notesBeside } = making
    const record = recordOf(making)
    record?.write(unfinished(making.lineage))
    try {
      const request = { parts: places, options, storage, random, notesBeside }
      const parts = await createReplicaParts({ ...request, attributes: ofNoPool(attributes, random) })
      return new LocalCopyInTheMaking(parts, making, true)
    } catch (error) {
      record?.remove()
      throw error
    }
  }

  get memory(): Memory {
    return this.#parts.memory
  }

  /** Filled from this memory. */
  sink(master: Memory): Verifiable {
    return verifiable(new LocalReplica(this.name, this.memory, this.#parts, master), master)
  }

  async finish(): Promise<void> {
    const { attributes, lineage, keepsRecord } = this.#making
    if (attributes) await this.#parts.setAttributes(attributes)
    const record = recordOf(this.#making)
    if (keepsRecord) record?.write({ ...unfinished(lineage), closed: true, syncing: false })
    else record?.remove()
  }

  close(): Promise<void> {
    return this.#parts.close()
  }

  async undo(): Promise<void> {
    if (this.#created && !this.#parts.closed) await this.#parts.remove()
    else await this.#parts.close()
  }
}

/** Where ReplicaParts look for it. */
function recordOf({ places, onDevice, notesBeside, keepsRecord }: LocalMaking): RecordFile | undefined {
  const [first] = places
  if (!onDevice) return new RecordFile(recordPath(first?.path ?? notesBeside))
  return keepsRecord ? new RecordFile(recordPath(notesBeside)) : undefined
}

export interface RemoteMaking extends Making {
  readonly copies: RemoteCopies
  readonly spec: RemoteReplicaSpec
  /** What it is filled from. */
  readonly memory: Memory
  readonly size: number
  readonly signal?: AbortSignal | undefined
}

export class RemoteCopyInTheMaking implements CopyInTheMaking {
  readonly name: string
  readonly #remote: RemoteCopy
  readonly #making: RemoteMaking
  readonly #created: boolean

  private constructor(remote: RemoteCopy, making: RemoteMaking, created: boolean) {
    this.name = making.name
    this.#remote = remote
    this.#making = making
    this.#created = created
  }

  /** Goes on with a copy that was found unfinished. */
  static async resume(making: RemoteMaking): Promise<RemoteCopyInTheMaking> {
    const { copies, spec, memory, size, signal, lineage } = making
    const claim = { lineage, closed: false, syncing: false, touched: false }
    const remote = await copies.open({ node: spec.node, set: spec.set, memory, size, claim, ...(signal && { signal }) })
    return new RemoteCopyInTheMaking(remote, making, false)
  }

  static async create(making: RemoteMaking): Promise<RemoteCopyInTheMaking> {
    const { copies, spec, memory, size, attributes, random, signal, lineage } = making
    const request = { node: spec.node, set: spec.set, memory, size, ...(signal && { signal }) }
    const remote = await copies.create({ ...request, attributes: ofNoPool(attributes, random) })
    try {
      await remote.keeping?.adopt(unfinished(lineage))
      return new RemoteCopyInTheMaking(remote, making, true)
    } catch (error) {
      await remote.close({ remove: true }).catch(() => {})
      throw error
    }
  }

  sink(): Verifiable {
    return verifiable(this.#remote, this.#making.memory)
  }

  async finish(): Promise<void> {
    const { attributes, lineage } = this.#making
    if (attributes) await this.#remote.setAttributes(attributes)
    await this.#remote.keeping?.adopt({ ...unfinished(lineage), syncing: false })
  }

  close(): Promise<void> {
    return this.#remote.close()
  }

  async undo(): Promise<void> {
    await this.#remote.close({ remove: this.#created })
  }
}

/** Fills the master's memory from a replica on a target, the other way round than usual. */
export const pulled = (memory: Memory, from: RemoteCopy): Verifiable => ({
  name: from.name,
  sums: (offset, length, blockSize) => verifiable(from, memory).sums(offset, length, blockSize),
  async send(offset, length) {
    const piece = new Uint8Array(length)
    await from.read(offset, piece)
    memory.copyIn(offset, piece)
  },
})

/** Makes both ends equal and proves it, block by block; blocks that are equal, such as zeros, do not travel. ERR_COPY_DIFFERS. */
export async function makeEqual(
  master: Memory,
  { base, size }: { readonly base: number; readonly size: number },
  copy: Verifiable,
  options: Omit<VerifyOptions, 'repair' | 'ranges'>,
): Promise<void> {
  const request = { ...options, master, base, size, clock: systemClock, repair: true, quiet: true }
  const { differing, repairedBytes } = await verify(request, copy)
  if (differing.reduce((sum, { length }) => sum + length, 0) === repairedBytes) return
  throw new RpmemError('ERR_COPY_DIFFERS', `${copy.name} differs from what it was copied from`, {
    facts: { replica: copy.name },
  })
}

const unfinished = (lineage: Lineage) => ({ lineage, closed: false, syncing: true, touched: false })

const ofNoPool = (attributes: PoolAttributes | undefined, random: Random): PoolAttributes | undefined =>
  attributes && { ...attributes, poolsetUuid: newUuid(random) }
