import { hasCode, RpmemError } from '../core/index.js'
import { attachMemory, type DurabilityMethod, type MemoryToken } from '../fabric-native/index.js'
import { DirtyMap, type DirtyMapToken } from './dirty-map.js'
import type { KeptChange, KeptState } from './kept-state.js'
import { RecordedReplica, type ReplicaBook } from './recorded-replica.js'
import type { AttachRemote, RemoteReplica } from './remote-connector.js'
import { phases, ReplicaBoard } from './replica-board.js'
import type { Transport } from './transport.js'

/** A kept replica on its way to another thread of this process. */
export interface ReplicaShare {
  readonly board: SharedArrayBuffer
  readonly map: DirtyMapToken
  readonly media: MemoryToken
}

export interface AttachedReplicaOptions extends Omit<ReplicaBook, 'map'> {
  readonly share: ReplicaShare
  readonly attachRemote: AttachRemote
  /** Called when a miss has put the replica out of step: the thread that keeps it has to know. */
  readonly onMissed: () => void
  readonly onChange: (change: KeptChange) => void
}

/**
 * A replica that another thread of this process keeps: it is reached over the connection that there is, and what it misses
 * meanwhile is recorded here as there.
 */
export class AttachedReplica extends RecordedReplica {
  readonly #options: AttachedReplicaOptions
  readonly #board: ReplicaBoard
  readonly #close: () => void
  /** As the board counts them. */
  #connection = 0
  #remote: RemoteReplica | undefined
  #told: KeptState = 'connecting'
  #failure: Error | undefined

  constructor(options: AttachedReplicaOptions) {
    const media = attachMemory(options.share.media)
    super({ ...options, map: DirtyMap.attach(media, options.share.map) })
    this.#options = options
    this.#board = new ReplicaBoard(options.share.board)
    this.#close = () => media.close()
    if (this.#board.phase !== phases.away) this.#current()
  }

  get state(): KeptState {
    const { phase } = this.#board
    if (phase === phases.synced) return 'synced'
    if (phase === phases.syncing) return 'syncing'
    return this.#told === 'synced' || this.#told === 'syncing' ? 'lost' : this.#told
  }

  get inStep(): boolean {
    return this.#board.phase === phases.synced
  }

  /** A pool that is closed is no matter of recording. */
  get receives(): boolean {
    return this.#board.phase !== phases.away || this.#options.board.isClosed
  }

  get method(): DurabilityMethod {
    return this.#remote?.method ?? 'msync'
  }

  get transport(): Transport | undefined {
    return this.#remote?.transport
  }

  get failure(): Error | undefined {
    return this.inStep ? undefined : (this.#remote?.failure ?? this.#failure)
  }

  get attributes() {
    return this.#remote?.attributes
  }

  /** Only the thread that keeps the replica speaks with the target. */
  get keeping(): undefined {
    return undefined
  }

  get verifiedAt(): undefined {
    return undefined
  }

  /** What the thread that keeps the replica says of it. */
  tell(change: KeptChange): void {
    this.#told = change.state
    if (change.error instanceof Error) this.#failure = change.error
  }

  share(): never {
    throw new RpmemError('ERR_THREAD', 'a pool is shared by the thread that opened it')
  }

  async close(): Promise<void> {
    if (!this.#options.board.isClosed) this.recordOwed()
    await this.#remote?.close()
    this.#close()
  }

  protected override fallOut(): void {
    this.#board.phase = phases.away
    this.#options.onMissed()
  }

  protected override live(): RemoteReplica {
    if (this.#options.board.isClosed) throw closed()
    if (this.#board.phase !== phases.away) {
      const remote = this.#board.connection === this.#connection ? this.#remote : this.#current()
      if (remote) return remote
    }
    throw this.failure ?? new RpmemError('ERR_TARGET_LOST', `${this.name} is not connected`, { durability: 'none' })
  }

  /** The connection that there is by now; undefined if it has ended already. */
  #current(): RemoteReplica | undefined {
    const { board, attachRemote } = this.#options
    const before = this.#remote
    this.#remote = undefined
    void before?.close().catch(() => {})
    try {
      board.locked(() => {
        this.#connection = this.#board.connection
        this.#remote = attachRemote(this.name, this.#board.read())
      })
    } catch (error) {
      if (!hasCode(error, 'ERR_CLOSED')) throw error
      return undefined
    }
    const remote = this.#remote as RemoteReplica | undefined
    remote?.onLost(error => this.#lost(remote, error))
    return remote
  }

  #lost(remote: RemoteReplica, error: Error): void {
    if (this.#remote !== remote || this.#options.board.isClosed) return
    this.#failure = error
    this.recordOwed()
    this.#options.onChange({ state: 'lost', error })
  }
}

const closed = (): RpmemError => new RpmemError('ERR_CLOSED', 'the pool was closed by the thread that opened it')
