import { type Clock, type Log, type Random, silentLog, systemClock, systemRandom } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { DirtyMap, unknownBase } from './dirty-map.js'
import { type KeptChange, KeptReplica, type KeptReplicaOptions } from './kept-replica.js'
import { PoolLineage } from './pool-lineage.js'
import type { ResyncOptions } from './pool-options.js'
import type { NotedMap, ReplicaNotes } from './replica-notes.js'
import type { ResyncProgress } from './resync.js'

export interface KeeperOptions {
  readonly notes: ReplicaNotes
  readonly memory: Memory
  /** The first byte that is mirrored, and the end of the pool. */
  readonly base: number
  readonly size: number
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
  readonly noted: NotedMap
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
    const { notes, random = systemRandom } = options
    return new ReplicaKeeper(options, PoolLineage.create(notes.record, random))
  }

  static open(options: KeeperOptions): ReplicaKeeper {
    const { notes, random = systemRandom } = options
    return new ReplicaKeeper(options, PoolLineage.open(notes.record, random))
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
    const { notes, memory, base, size, resync = {} } = this.#options
    const noted = await notes.map(name, DirtyMap.sizeFor(size))
    const map = openMap(noted, size, origin === 'new' ? this.#lineage.current.id : undefined)
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
    this.#kept.push({ replica, noted })
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
    await this.#options.notes.remove()
  }

  async #release(): Promise<void> {
    await Promise.all(this.#kept.map(({ replica }) => replica.close().catch(() => {})))
    await Promise.all(this.#kept.map(({ noted }) => noted.close()))
  }
}

/** A replica without a map of what it misses is compared as a whole. */
function openMap({ memory, created }: NotedMap, size: number, generation: string | undefined): DirtyMap {
  if (generation !== undefined) return DirtyMap.format(memory, size, generation)
  return created ? DirtyMap.format(memory, size, unknownBase) : DirtyMap.load(memory, size)
}
