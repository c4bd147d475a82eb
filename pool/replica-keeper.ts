import { type Clock, type Log, type Random, RpmemError, silentLog, systemClock, systemRandom } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import type { KeeperShare } from './attached-keeper.js'
import { DirtyMap, unknownBase } from './dirty-map.js'
import { KeptReplica, type KeptReplicaOptions } from './kept-replica.js'
import type { KeptChange } from './kept-state.js'
import { PoolBoard } from './pool-board.js'
import { PoolLineage } from './pool-lineage.js'
import type { ResyncOptions } from './pool-options.js'
import { RecordFile } from './record-file.js'
import type { NotedMap, ReplicaNotes } from './replica-notes.js'
import type { ResyncProgress } from './resync.js'
import { ThreadNews } from './thread-news.js'

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
  changed(replica: { readonly name: string }, change: KeptChange): void
  progressed(replica: { readonly name: string }, progress: ResyncProgress): void
}

interface Kept {
  readonly replica: KeptReplica
  readonly noted: NotedMap
}

/** Keeps the remote replicas of one pool, and what has to be known about them when the process is gone. */
export class ReplicaKeeper {
  readonly #options: KeeperOptions
  readonly #lineage: PoolLineage
  readonly #board: PoolBoard
  readonly #kept: Kept[] = []
  #listener: KeeperListener | undefined
  /** Once the pool is shared with other threads. */
  #news: { readonly name: string; readonly channel: ThreadNews } | undefined

  private constructor(options: KeeperOptions, lineage: PoolLineage, board: PoolBoard) {
    this.#options = options
    this.#lineage = lineage
    this.#board = board
  }

  static create(options: KeeperOptions): ReplicaKeeper {
    const board = new PoolBoard()
    return new ReplicaKeeper(options, PoolLineage.create(placesOf(options, board)), board)
  }

  static open(options: KeeperOptions): ReplicaKeeper {
    const board = new PoolBoard()
    return new ReplicaKeeper(options, PoolLineage.open(placesOf(options, board)), board)
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
      board: this.#board,
      connect,
      clock: this.#options.clock ?? systemClock,
      random: this.#options.random ?? systemRandom,
      log: this.#options.log ?? silentLog,
      ...(resync.backOff && { backOff: resync.backOff }),
      ...(resync.bytesPerSecond !== undefined && { resyncBytesPerSecond: resync.bytesPerSecond }),
      onChange: change => {
        this.#news?.channel.tell({ replica: name, change })
        this.#listener?.changed(replica, change)
      },
      onProgress: progress => this.#listener?.progressed(replica, progress),
    })
    this.#kept.push({ replica, noted })
    return replica
  }

  /** For AttachedKeeper in another thread. ERR_ARGUMENT where the notes are no files. */
  share(): KeeperShare {
    const { record } = this.#options.notes
    if (!(record instanceof RecordFile)) throw new RpmemError('ERR_ARGUMENT', 'only records in files can be shared')
    this.#news ??= this.#beginNews()
    return { board: this.#board.buffer, recordPath: record.path, news: this.#news.name }
  }

  #beginNews(): { name: string; channel: ThreadNews } {
    const name = `rpmem pool ${Buffer.from(systemRandom.bytes(16)).toString('hex')}`
    const channel = new ThreadNews(name, news => {
      if (!('missed' in news)) return
      // Those that are in step go on in the generation that the other thread has begun.
      this.#board.locked(() => this.#lineage.refresh())
      this.#kept.find(({ replica }) => replica.name === news.replica)?.replica.missedElsewhere()
    })
    return { name, channel }
  }

  /** Before the replicas are closed: for other threads that is the end of the pool, and not a loss. */
  end(): void {
    this.#board.close()
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
    this.#news?.channel.close()
    await Promise.all(this.#kept.map(({ replica }) => replica.close().catch(() => {})))
    await Promise.all(this.#kept.map(({ noted }) => noted.close()))
  }
}

const placesOf = ({ notes, random = systemRandom }: KeeperOptions, board: PoolBoard) => ({
  store: notes.record,
  random,
  board,
})

/** A replica without a map of what it misses is compared as a whole. */
function openMap({ memory, created }: NotedMap, size: number, generation: string | undefined): DirtyMap {
  if (generation !== undefined) return DirtyMap.format(memory, size, generation)
  return created ? DirtyMap.format(memory, size, unknownBase) : DirtyMap.load(memory, size)
}
