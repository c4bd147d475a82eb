import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { type Clock, type Log, type Random, silentLog, systemClock, systemRandom } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { DirtyMap, unknownBase } from './dirty-map.js'
import { type KeptChange, KeptReplica, type KeptReplicaOptions } from './kept-replica.js'
import { Part } from './part.js'
import { PoolLineage } from './pool-lineage.js'
import type { ResyncOptions } from './pool-options.js'
import { RecordFile, recordPath } from './record-file.js'
import type { ResyncProgress } from './resync.js'
import type { Storage } from './storage.js'

export interface KeeperOptions {
  /** Path of the first part of the master: record and maps lie beside it. */
  readonly beside: string
  readonly memory: Memory
  /** The first byte that is mirrored, and the end of the pool. */
  readonly base: number
  readonly size: number
  readonly storage: Storage
  readonly resync?: ResyncOptions | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly log?: Log | undefined
}

/** Who listens to the kept replicas of a pool. */
export interface KeeperListener {
  changed(replica: KeptReplica, change: KeptChange): void
  progressed(replica: KeptReplica, progress: ResyncProgress): void
}

interface Kept {
  readonly replica: KeptReplica
  readonly part: Part
  readonly memory: Memory
}

/** Keeps the remote replicas of one pool, and what has to be known about them when the process is gone. */
export class ReplicaKeeper {
  readonly #options: KeeperOptions
  readonly #lineage: PoolLineage
  readonly #kept: Kept[] = []
  #listener: KeeperListener | undefined

  private constructor(options: KeeperOptions, lineage: PoolLineage) {
    this.#options = options
    this.#lineage = lineage
  }

  static create(options: KeeperOptions): ReplicaKeeper {
    const { beside, random = systemRandom } = options
    return new ReplicaKeeper(options, PoolLineage.create(new RecordFile(recordPath(beside)), random))
  }

  static open(options: KeeperOptions): ReplicaKeeper {
    const { beside, random = systemRandom } = options
    return new ReplicaKeeper(options, PoolLineage.open(new RecordFile(recordPath(beside)), random))
  }

  get lineage(): PoolLineage {
    return this.#lineage
  }

  listen(listener: KeeperListener): void {
    this.#listener = listener
  }

  /**
   * @param name 'user@node2:22 remote.set', which also names the map on the disk
   * @param origin `new`: replica and master were just made, and are equal
   */
  async keep(name: string, origin: 'new' | 'old', connect: KeptReplicaOptions['connect']): Promise<KeptReplica> {
    const { beside, memory, base, size, storage, resync = {} } = this.#options
    const place = { path: mapPath(beside, name), size: DirtyMap.sizeFor(size) }
    const part = await Part.create(place, storage)
    const mapped = storage.map([{ fd: part.fd, offset: 0, length: place.size }])
    const map = openMap(mapped, size, origin === 'new' ? this.#lineage.current.id : undefined, part.created)
    const replica: KeptReplica = new KeptReplica({
      name,
      memory,
      base,
      size,
      map,
      lineage: this.#lineage,
      connect,
      clock: this.#options.clock ?? systemClock,
      random: this.#options.random ?? systemRandom,
      log: this.#options.log ?? silentLog,
      ...(resync.backOff && { backOff: resync.backOff }),
      ...(resync.bytesPerSecond !== undefined && { resyncBytesPerSecond: resync.bytesPerSecond }),
      onChange: change => this.#listener?.changed(replica, change),
      onProgress: progress => this.#listener?.progressed(replica, progress),
    })
    this.#kept.push({ replica, part, memory: mapped })
    return replica
  }

  /** Of a pool that is closed well: every persist has settled. */
  async close(): Promise<void> {
    await this.#release()
    this.#lineage.close()
  }

  /** Record and maps of a pool that is not to exist. */
  async remove(): Promise<void> {
    await this.#release()
    const paths = [recordPath(this.#options.beside), ...this.#kept.map(({ part }) => part.path)]
    await Promise.all(paths.map(path => rm(path, { force: true })))
  }

  async #release(): Promise<void> {
    await Promise.all(this.#kept.map(({ replica }) => replica.close().catch(() => {})))
    for (const { memory } of this.#kept) memory.close()
    await Promise.all(this.#kept.map(({ part }) => part.close()))
  }
}

/** A replica without a map of what it misses is compared as a whole. */
function openMap(memory: Memory, size: number, generation: string | undefined, created: boolean): DirtyMap {
  if (generation !== undefined) return DirtyMap.format(memory, size, generation)
  return created ? DirtyMap.format(memory, size, unknownBase) : DirtyMap.load(memory, size)
}

/** Is it a map of what a replica of the pool with this first part misses? */
export const isMapOf = (first: string, file: string): boolean =>
  file.startsWith(`${first}.missing-`) && /^[0-9a-f]{8}$/.test(file.slice(first.length + '.missing-'.length))

export const mapPath = (beside: string, name: string): string =>
  `${beside}.missing-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
