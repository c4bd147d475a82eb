import { alignUp, hasCode, MiB, pageSize, type Random, RpmemError } from '../core/index.js'
import { NativeMemory } from '../fabric-native/index.js'
import { newAttributes, type RemoteConnector, type RemoteReplica } from '../pool/index.js'
import { ArenaCopy } from './arena-copy.js'
import { damageOf } from './arena-opening.js'
import { type ArenaReading, readArena } from './arena-reading.js'
import { ArenaDamagedError } from './finding.js'
import { RemoteGround } from './ground.js'
import { fillData, fillLog, newDataHeader, zeroBase } from './new-arena.js'
import type { Work } from './operation.js'
import { PlaceHeader, type RegionFiles } from './place-header.js'
import { replicaSignature } from './replica-opening.js'
import { dataRegionAt, placeSize } from './replica-place.js'
import { slotsSize } from './slots.js'
import { WorkQueue } from './work-queue.js'

/** What a replica is told of the arena that it is to hold. */
export interface ReplicatedArena {
  readonly id: Uint8Array
  /** Bytes at present. */
  readonly size: number
  /** Bytes up to which the replica can take the arena. */
  readonly capacity: number
  readonly timeMs: number
}

export interface LinkRequest {
  readonly node: string
  readonly set: string
  readonly connector: RemoteConnector
  readonly arena: ReplicatedArena
  readonly random: Random
  readonly signal: AbortSignal
}

/** A connection to a target and the copy of the arena there. */
export class ReplicaLink {
  readonly remote: RemoteReplica
  readonly copy: ArenaCopy
  readonly #memory: NativeMemory
  readonly #place: PlaceHeader

  private constructor(remote: RemoteReplica, memory: NativeMemory, place: PlaceHeader, copy: ArenaCopy) {
    this.remote = remote
    this.copy = copy
    this.#memory = memory
    this.#place = place
  }

  /**
   * Opens the pool of the replica, or creates it, with an arena of zeros that counts only once `publish` is durable.
   * @throws ERR_REPLICA_STRANGER: another arena; ERR_REPLICA_DIVERGED: it was opened there for writing; ERR_ARENA_FOREIGN;
   * ERR_ARENA_DAMAGED; and as RemotePool.create and open
   */
  static async open(request: LinkRequest): Promise<ReplicaLink> {
    const least = poolSize(placeSize(request.arena.capacity))
    const first = await attempt(request, least)
    return 'needs' in first ? settled(await attempt(request, first.needs)) : first
  }

  /** The connection with this much memory, or how much the arena that is found there needs. */
  static async over(
    request: LinkRequest,
    remote: RemoteReplica,
    memory: NativeMemory,
  ): Promise<ReplicaLink | { readonly needs: number }> {
    const ground = new RemoteGround(remote, memory)
    await ground.fetch(0, slotsSize)
    const found = PlaceHeader.read(ground)
    if (found && found.end > ground.size) return { needs: poolSize(found.end) }
    const place = found ?? PlaceHeader.prepare(ground, request.arena.id, request.arena.capacity)
    const files = place.files()
    if (found) await admit(request, found, ground)
    else await new WorkQueue().post(format(files, request))
    const reading = await new WorkQueue().post(read(files, remote.name))
    const copy = new ArenaCopy(files.data, files.log, reading, MiB)
    await new WorkQueue().post(copy.reopen())
    return new ReplicaLink(remote, memory, place, copy)
  }

  get published(): boolean {
    return this.#place.published
  }

  /** What has been brought there counts from here on. */
  *publish(): Work {
    if (!this.#place.published) yield this.#place.publish()
  }

  /** Ends the connection, whatever state it is in. */
  async close(): Promise<void> {
    try {
      await this.remote.close()
    } finally {
      this.#memory.close()
    }
  }
}

/** Of the pool that has this much for its user; the least that a target takes is 8 MiB. */
const poolSize = (size: number): number => Math.max(8 * MiB, alignUp(pageSize + size, pageSize))

async function attempt(request: LinkRequest, size: number): Promise<ReplicaLink | { readonly needs: number }> {
  const memory = NativeMemory.anonymous(size)
  let remote: RemoteReplica | undefined
  try {
    remote = await reach(request, memory, size)
    const link = await ReplicaLink.over(request, remote, memory)
    if (link instanceof ReplicaLink) return link
    await remote.close()
    memory.close()
    return link
  } catch (error) {
    await remote?.close().catch(() => {})
    memory.close()
    throw error
  }
}

function settled(link: ReplicaLink | { readonly needs: number }): ReplicaLink {
  if (link instanceof ReplicaLink) return link
  throw new RpmemError('ERR_ARENA_FOREIGN', 'the size of the arena on the target changed while it was being opened')
}

async function reach(request: LinkRequest, memory: NativeMemory, size: number): Promise<RemoteReplica> {
  const { node, set, connector, random, signal } = request
  const given = { node, set, memory, size, signal }
  try {
    return await connector.open(given)
  } catch (error) {
    if (!hasCode(error, 'ERR_PART_MISSING')) throw error
  }
  const [attributes] = newAttributes({ replicas: [set], options: {} }, { signature: replicaSignature, random }) ?? []
  return connector.create({ ...given, attributes })
}

async function admit({ arena }: LinkRequest, place: PlaceHeader, ground: RemoteGround): Promise<void> {
  const facts = { replica: ground.name }
  if (!Buffer.from(place.arena).equals(arena.id)) {
    throw new RpmemError('ERR_REPLICA_STRANGER', `${ground.name} holds another arena`, { facts })
  }
  if (place.takenOver) {
    throw new RpmemError(
      'ERR_REPLICA_DIVERGED',
      `${ground.name} was opened there for writing and is no replica any more`,
      {
        facts,
        hint: 'Go on with the arena there, or remove its pool there: then a new replica is made.',
      },
    )
  }
  await ground.fetch(dataRegionAt, slotsSize)
  await ground.fetch(place.logAt, place.size)
}

/** An arena of zeros, at checkpoint 0. */
function* format({ data, log }: RegionFiles, { arena, random }: LinkRequest): Work {
  const header = newDataHeader(arena.id, arena.size, arena.timeMs)
  yield* fillData(data, header)
  const [seed] = new BigUint64Array(Uint8Array.from(random.bytes(8)).buffer)
  yield* fillLog(log, arena.id, zeroBase(header), seed ?? 0n, 0)
}

function* read(files: RegionFiles, name: string): Work<ArenaReading> {
  const { findings, reading } = yield* readArena(files.data, files.log)
  if (reading && findings.count === 0) return reading
  throw new ArenaDamagedError(name, damageOf(findings, []))
}
