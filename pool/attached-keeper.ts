import { silentLog, systemRandom } from '../core/index.js'
import { AttachedReplica, type ReplicaShare } from './attached-replica.js'
import { PoolBoard } from './pool-board.js'
import { PoolLineage } from './pool-lineage.js'
import { RecordFile } from './record-file.js'
import type { AttachRemote } from './remote-connector.js'
import type { KeeperListener } from './replica-keeper.js'
import { ThreadNews } from './thread-news.js'

/** The kept replicas of a pool on their way to another thread of this process. */
export interface KeeperShare {
  readonly board: SharedArrayBuffer
  readonly recordPath: string
  /** Of the channel among the threads. */
  readonly news: string
}

/** What a thread that shares a pool needs in order to record what replicas miss, and to hear of them. */
export class AttachedKeeper {
  readonly #board: PoolBoard
  readonly #lineage: PoolLineage
  readonly #news: ThreadNews
  readonly #replicas = new Map<string, AttachedReplica>()
  #listener: KeeperListener | undefined

  constructor({ board, recordPath, news }: KeeperShare) {
    this.#board = new PoolBoard(board)
    this.#board.enter()
    const store = new RecordFile(recordPath)
    this.#lineage = this.#board.locked(() => PoolLineage.attach({ store, random: systemRandom, board: this.#board }))
    this.#news = new ThreadNews(news, heard => {
      if ('missed' in heard) return
      this.#replicas.get(heard.replica)?.tell(heard.change)
      this.#listener?.changed({ name: heard.replica }, heard.change)
    })
  }

  attach(name: string, share: ReplicaShare, attachRemote: AttachRemote): AttachedReplica {
    const replica = new AttachedReplica({
      name,
      share,
      attachRemote,
      board: this.#board,
      lineage: this.#lineage,
      log: silentLog,
      onMissed: () => this.#news.tell({ replica: name, missed: true }),
      onChange: change => this.#listener?.changed({ name }, change),
    })
    this.#replicas.set(name, replica)
    return replica
  }

  listen(listener: KeeperListener): void {
    this.#listener = listener
  }

  /** The pool of the others goes on. */
  end(): void {}

  /** After its replicas. */
  async close(): Promise<void> {
    this.#news.close()
    this.#board.leave()
  }
}
