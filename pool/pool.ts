import { EventEmitter } from 'node:events'
import { type PoolAttributes, RpmemError, systemClock } from '../core/index.js'
import type { CopyOptions, Memory } from '../fabric-native/index.js'
import { loadPoolSet, minimumPartSize, type PoolSet } from '../poolset/index.js'
import { untilAborted } from './abortable.js'
import { CheckedFanOut } from './checked-fan-out.js'
import { Congestion } from './congestion.js'
import { FanOut, type Reached } from './fan-out.js'
import { KeptReplica } from './kept-replica.js'
import { nativeStorage } from './native-storage.js'
import type { Policy } from './policy.js'
import { type Assembly, createAssembly, openAssembly } from './pool-assembly.js'
import { poolChannels } from './pool-channels.js'
import type { PoolEvents, ReplicaChange, ReplicaLoss, ReplicaProgress } from './pool-events.js'
import { defaultGrowth } from './pool-growth.js'
import { PoolJournal } from './pool-journal.js'
import type { CopyPersistOptions, CreatePoolOptions, OpenPoolOptions, PoolPersistOptions } from './pool-options.js'
import { attachAssembly, type PoolToken, shareAssembly } from './pool-share.js'
import type { PoolStatus } from './pool-status.js'
import { Receipt, type ReplicaReceipt, type ReplicaStatus, receiptsOf, statusOf } from './receipt.js'
import { isOutOfStep } from './recorded-replica.js'
import type { AttachRemote } from './remote-connector.js'
import type { Replica } from './replica.js'
import { Unpersisted, type UnpersistedPage, unpersistedError } from './unpersisted.js'
import { verifiable } from './verifiable.js'
import { isEqualThroughout, type Verification, type VerifyOptions, verify } from './verification.js'

/**
 * `failed`: a local replica was lost for good; memory can still be read, but nothing can be made durable everywhere any more.
 * `degraded`: a remote replica is out of step, and on its way back.
 */
export type PoolState = 'open' | 'degraded' | 'failed' | 'closing' | 'closed'

/**
 * A pool of mapped memory that is kept alike on all its replicas. Offsets and lengths are bytes and count from the first
 * byte that the user may use; headers are invisible. After a persist has returned, the range is durable on the master, on
 * every local replica and on every target; else it throws ERR_PERSIST (PersistError), which says what is certain.
 *
 * Emits 'replica-lost' each time a replica that was in step is lost, and 'closed' at the end. All methods but close() throw ERR_CLOSED
 * after close(). Source: pmemobj_open(3) and the memory operations of libpmemobj(7).
 */
export class Pool extends EventEmitter<PoolEvents> {
  readonly #memory: Memory
  readonly #assembly: Assembly
  readonly #fanOut: FanOut
  readonly #journal: PoolJournal
  #lastReached: { readonly reached: Reached; readonly receipts: readonly ReplicaReceipt[] } | undefined
  #wholePlain: readonly ReplicaReceipt[] | undefined
  #wholeDeep: readonly ReplicaReceipt[] | undefined
  readonly #base: number
  /** Header page included; grows. */
  #whole: number
  /** Kept replicas whose loss nobody was told of. */
  readonly #inStep = new Set<string>()
  readonly #policy: Policy
  readonly #congestion: Congestion
  #state: Exclude<PoolState, 'degraded'> = 'open'
  #sequence = 0
  #pending = 0
  #settled: (() => void) | undefined
  #closing: Promise<void> | undefined

  /**
   * Creates the parts of all replicas and maps the master. `source` is a pool set or the path of its file. After a failure
   * nothing that this attempt made is left, neither here nor on the targets. A subclass gets pools of its own kind.
   * Source: pmemobj_create(3), rpmem_create(3).
   */
  static async create(source: string | PoolSet, options: CreatePoolOptions = {}): Promise<Pool> {
    const set = await toPoolSet(source)
    const assembly = await createAssembly(set, { storage: nativeStorage, setFile: fileOf(source), ...options })
    return new this(await checked(assembly, options))
  }

  /** Opens all replicas, which must belong together. Errors of parts as openReplicaParts. Source: pmemobj_open(3). */
  static async open(source: string | PoolSet, options: OpenPoolOptions = {}): Promise<Pool> {
    const set = await toPoolSet(source)
    const assembly = await openAssembly(set, { storage: nativeStorage, setFile: fileOf(source), ...options })
    return new this(await checked(assembly, options))
  }

  /**
   * A pool that another thread of this process has opened and shared: the same memory and the same connections. Threads order
   * their own operations among themselves. Each has a lane of its own for operations that name none, as long as there are
   * enough; any thread may name any lane. close() leaves the pool, that of the owner ends it for all: what the others have
   * pending and what they begin is ERR_CLOSED. In C threads share what pmemobj_open(3) gave.
   */
  static attach(token: PoolToken, attachRemote?: AttachRemote): Pool {
    return new this(attachAssembly(token, attachRemote))
  }

  /** Only for create, open and attach. */
  constructor(assembly: Assembly) {
    super()
    this.#assembly = assembly
    this.#memory = assembly.master.memory
    this.#base = assembly.base
    this.#whole = assembly.size
    this.#policy = assembly.policy ?? noOptions
    this.#congestion = new Congestion(assembly.clock ?? systemClock)
    const lose = (replica: Replica, error: unknown) => this.#lose(replica, error)
    const { unpersisted } = assembly
    this.#fanOut = unpersisted ? new CheckedFanOut(assembly, lose, unpersisted) : new FanOut(assembly, lose)
    this.#journal = new PoolJournal({
      view: () => this,
      latencies: this.#fanOut.latencies,
      note: assembly.statusNote,
      clock: assembly.clock,
      log: assembly.log,
    })
    for (const replica of assembly.remotes) if (!isOutOfStep(replica)) this.#inStep.add(replica.name)
    for (const remote of assembly.remotes) remote.onLost(error => this.#fanOut.lose(remote, error))
    assembly.keeper?.listen({
      changed: ({ name: replica }, change) => this.#changed({ replica, ...change }),
      progressed: ({ name: replica }, progress) => this.#progressed({ replica, ...progress }),
    })
    poolChannels.opened.publish({ pool: this })
  }

  /** Of the whole pool; `replicas` has that of each. Events tell the changes. Between pmemobj_open(3) and pmemobj_close(3). */
  get state(): PoolState {
    const degraded = this.#state === 'open' && this.#assembly.replicas.some(isOutOfStep)
    return degraded ? 'degraded' : this.#state
  }

  /** Bytes that the user may use, without headers: offsets are 0 … size - 1. Source: pmemobj_create(3), poolsize. */
  get size(): number {
    return this.#whole - this.#base
  }

  /**
   * Up to how many bytes the pool can grow: what the sizes of its directories add up to, without the header; of a pool over
   * files and devices its size. Source: poolset(5).
   */
  get reservation(): number {
    return (this.#assembly.growth?.reservation ?? this.#whole) - this.#base
  }

  /**
   * Adds space behind what there is: a file more in each replica, durable and full of zeros when it resolves with the new size.
   * Views stay valid. Only a pool over directories grows, and only in the thread that opened it; threads that attach later see
   * the new size, those that have attached keep the old one. What is left of the reservation bounds it: ERR_RESERVATION if that
   * is less than 2 MiB. ERR_DISK_FULL, ERR_PART_ACCESS …: the pool is as it was. Source: poolset(5), heap.size.extend of
   * pmemobj_ctl_set(3).
   * @param length bytes, rounded up to pages; at least 2 MiB; default 128 MiB, or what is left
   */
  async grow(length: number = defaultGrowth): Promise<number> {
    this.#assertUsable()
    const { growth } = this.#assembly
    if (!growth) throw growsNot(this.#assembly.attached === true)
    if (!isCount(length) || length < minimumPartSize) throw tooLittle(length)
    this.#pending++
    try {
      await growth.grow(length)
      this.#whole = growth.size
      return this.size
    } finally {
      this.#settle()
    }
  }

  /** Of the master's header; undefined for a pool without headers. Source: rpmem_open(3). */
  get attributes(): PoolAttributes | undefined {
    return this.#assembly.attributes
  }

  /**
   * All replicas as they are now, in the order of the pool set, the master first: how each makes bytes durable, how remote ones
   * are reached, which are lost. Source: poolset(5), rpmem_create(3).
   */
  get replicas(): ReplicaStatus[] {
    const { lost } = this.#fanOut
    return this.#assembly.replicas.map(replica => ({
      ...statusOf(replica, lost.has(replica)),
      transport: replica.transport,
      failure: lost.get(replica) ?? replica.failure,
    }))
  }

  /**
   * How the pool stands and what has happened to it: plain data, of which other processes read a copy in the note beside the pool
   * (`rpmem status`). Works until and after close(). Source: none in PMDK.
   */
  status(): PoolStatus {
    return this.#journal.status()
  }

  /** For `Pool.attach` in a worker thread; good until close(). Threads of C use the PMEMobjpool of pmemobj_open(3) itself. */
  share(): PoolToken {
    this.#assertUsable()
    return shareAssembly(this.#assembly, this.#whole)
  }

  /**
   * A window over the master's memory, without a copy; detached by close(), not transferable. At most 2^32 - 1 bytes. What is
   * stored through it is durable after a persist. ERR_RANGE outside the pool. Source: pmemobj_direct(3).
   */
  view(offset: number, length: number): Uint8Array {
    return this.#memory.view(this.#at(offset, length), length)
  }

  /** Copies bytes of the master out, durable or not. ERR_RANGE. Source: a load through pmemobj_direct(3). */
  read(offset: number, into: Uint8Array): void {
    this.#memory.read(this.#at(offset, into.length), into)
  }

  /**
   * Makes the range durable on all replicas. ERR_RANGE, ERR_PERSIST. Source: pmemobj_persist(3), pmemobj_xpersist(3)
   * (relaxed).
   */
  persist(offset: number, length: number, options: PoolPersistOptions = noOptions): Promise<Receipt> {
    try {
      const at = this.#at(offset, length)
      return this.#wait(this.#begun(at, length, this.#bounded(options), false), options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The same, blocking the thread until it is so. Source: pmemobj_persist(3), pmemobj_xpersist(3). */
  persistSync(offset: number, length: number, options: PoolPersistOptions = noOptions): Receipt {
    return this.#receipt(this.#fanOut.persistSync(this.#at(offset, length), length, this.#bounded(options)), options)
  }

  /**
   * Starts making the range durable; it is so after a drain of the same lane by the same thread. Bytes changed between the two
   * may or may not be included. Source: pmemobj_flush(3), pmemobj_xflush(3).
   */
  flush(offset: number, length: number, options: PoolPersistOptions = noOptions): void {
    this.#fanOut.flush(this.#at(offset, length), length, this.#bounded(options))
  }

  /** Waits until all that this thread has flushed on this lane is durable everywhere. ERR_PERSIST. Source: pmemobj_drain(3). */
  async drain(options: PoolPersistOptions = {}): Promise<Receipt> {
    this.#assertUsable()
    return this.#wait(this.#fanOut.drain(this.#bounded(options)), options)
  }

  /** The same, blocking the thread until it is so. Source: pmemobj_drain(3). */
  drainSync(options: PoolPersistOptions = noOptions): Receipt {
    this.#assertUsable()
    return this.#receipt(this.#fanOut.drainSync(this.#bounded(options)), options)
  }

  /** As persist, down to the lowest domain that software can reach. Source: pmem_deep_persist(3), rpmem_deep_persist(3). */
  deepPersist(offset: number, length: number, options: PoolPersistOptions = {}): Promise<Receipt> {
    return this.persist(offset, length, { ...options, deep: true })
  }

  /** The same, blocking the thread until it is so. Source: pmem_deep_persist(3), rpmem_deep_persist(3). */
  deepPersistSync(offset: number, length: number, options: PoolPersistOptions = {}): Receipt {
    return this.persistSync(offset, length, { ...options, deep: true })
  }

  /**
   * Copies foreign bytes to `offset` and makes them durable; aligned words of 8 bytes are never torn. With `noFlush` or
   * `noDrain` a part of that is left to later calls. Source: pmemobj_memcpy(3), pmemobj_memcpy_persist(3).
   */
  async memcpyPersist(offset: number, source: Uint8Array, options: CopyPersistOptions = {}): Promise<Receipt> {
    const at = this.#at(offset, source.length)
    this.#store(mode => this.#memory.copyIn(at, source, mode), options)
    return this.#after(at, source.length, options)
  }

  /** The same, blocking the thread until it is so. Source: pmemobj_memcpy(3), pmemobj_memcpy_persist(3). */
  memcpyPersistSync(offset: number, source: Uint8Array, options: CopyPersistOptions = noOptions): Receipt {
    const at = this.#at(offset, source.length)
    this.#store(mode => this.#memory.copyIn(at, source, mode), options)
    return this.#afterSync(at, source.length, options)
  }

  /** Moves bytes inside the pool, overlap allowed, and makes the destination durable. Source: pmemobj_memmove(3). */
  async memmovePersist(to: number, from: number, length: number, options: CopyPersistOptions = {}): Promise<Receipt> {
    const at = this.#at(to, length)
    const source = this.#at(from, length)
    this.#store(mode => this.#memory.move(at, source, length, mode), options)
    return this.#after(at, length, options)
  }

  /** The same, blocking the thread until it is so. Source: pmemobj_memmove(3). */
  memmovePersistSync(to: number, from: number, length: number, options: CopyPersistOptions = noOptions): Receipt {
    const at = this.#at(to, length)
    const source = this.#at(from, length)
    this.#store(mode => this.#memory.move(at, source, length, mode), options)
    return this.#afterSync(at, length, options)
  }

  /** Fills with `byte` (0 … 255) and makes the range durable. Source: pmemobj_memset(3), pmemobj_memset_persist(3). */
  async memsetPersist(
    offset: number,
    byte: number,
    length: number,
    options: CopyPersistOptions = {},
  ): Promise<Receipt> {
    const at = this.#at(offset, length)
    const value = toByte(byte)
    this.#store(mode => this.#memory.fill(at, value, length, mode), options)
    return this.#after(at, length, options)
  }

  /** The same, blocking the thread until it is so. Source: pmemobj_memset(3), pmemobj_memset_persist(3). */
  memsetPersistSync(offset: number, byte: number, length: number, options: CopyPersistOptions = noOptions): Receipt {
    const at = this.#at(offset, length)
    const value = toByte(byte)
    this.#store(mode => this.#memory.fill(at, value, length, mode), options)
    return this.#afterSync(at, length, options)
  }

  /**
   * Compares every replica with the master by the checksums of their blocks, while the program may go on; `repair` sends what
   * differs again. Resolves with what was found, a replica each, in the order of the pool set without the master. A replica that
   * is lost or out of step cannot be verified: its error is thrown. Source: pmempool-sync(1) does this for pools that are closed.
   */
  async verify(options: VerifyOptions = {}): Promise<Verification[]> {
    this.#assertUsable()
    const { base, master, clock = systemClock } = this.#assembly
    const others = this.#assembly.replicas.filter(replica => replica !== master)
    const request = { ...options, master: this.#memory, base, size: this.#whole, clock }
    const work = others.map(async replica => this.#verified(await verify(request, verifiable(replica, this.#memory))))
    return this.#counted(Promise.all(work))
  }

  /**
   * Decides for the content here against that of a kept replica that was refused, because it was written to without us
   * (ERR_REPLICA_AHEAD, ERR_REPLICA_DIVERGED): what it has is overwritten where it differs, and it is in step when this resolves.
   * `dryRun` only compares. Resolves with the bytes that differ, by blocks of 64 KiB. ERR_ARGUMENT for any other replica.
   */
  async resolve(replica: string, { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<number> {
    this.#assertUsable()
    const kept = this.#assembly.replicas.find(({ name }) => name === replica)
    if (kept instanceof KeptReplica) return this.#counted(kept.resolve({ dryRun }))
    throw new RpmemError('ERR_ARGUMENT', `the pool keeps no replica '${replica}'`, { facts: { replica } })
  }

  /**
   * Which pages hold bytes that were stored to and never made durable on all replicas since: by a persist, or by a flush and a drain.
   * Stores of whatever kind are found; bytes that were stored to and are as they were persisted are none. For debugging, of a pool
   * that was opened with `trackUnpersisted`. As pmemcheck of PMDK does it for programs in C.
   * @throws ERR_ARGUMENT for any other pool
   */
  findUnpersisted(): UnpersistedPage[] {
    this.#assertUsable()
    const { unpersisted } = this.#assembly
    if (unpersisted) return unpersisted.find()
    throw new RpmemError('ERR_ARGUMENT', 'the pool does not follow what is persisted', {
      hint: 'Open it with the option trackUnpersisted.',
    })
  }

  /**
   * Lets what is under way settle, then closes targets, local replicas and master and detaches all views. Idempotent.
   * ERR_UNPERSISTED for a pool that was opened with `throwUnpersisted`. Source: pmemobj_close(3), rpmem_close(3).
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** close(), for `await using`. Source: pmemobj_close(3). */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#state = 'closing'
    if (this.#pending > 0) await new Promise<void>(resolve => (this.#settled = resolve))
    const { remotes, locals, master, keeper } = this.#assembly
    keeper?.end()
    const left = this.#leftUnpersisted()
    const outcomes = await Promise.allSettled([...remotes, ...locals].map(replica => replica.close()))
    // The record says that all is well only when it is.
    if (keeper) outcomes.push(...(await Promise.allSettled([keeper.close()])))
    outcomes.push(...(await Promise.allSettled([master.close()])))
    this.#state = 'closed'
    this.#journal.close()
    this.emit('closed')
    poolChannels.closed.publish({ pool: this })
    const failed = outcomes.find(outcome => outcome.status === 'rejected')
    if (failed) throw failed.reason
    if (left.length > 0) throw unpersistedError(left)
  }

  /** What close() is to throw for. A memory that has failed has said so. */
  #leftUnpersisted(): UnpersistedPage[] {
    const { unpersisted, throwUnpersisted, attached } = this.#assembly
    const left = unpersisted && throwUnpersisted && !attached && !this.#memory.failure ? unpersisted.find() : []
    unpersisted?.close()
    return left
  }

  /** The pool offset of a range that lies inside what the user may use. */
  #at(offset: number, length: number): number {
    this.#assertUsable()
    if (isCount(offset) && isCount(length) && offset + length <= this.#whole - this.#base) {
      return offset + this.#base
    }
    throw outside(offset, length, this.size)
  }

  #assertUsable(): void {
    if (this.#state === 'open' || this.#state === 'failed') return
    throw new RpmemError('ERR_CLOSED', `the pool is ${this.#state}`, { facts: { state: this.#state } })
  }

  /** The master stores without a flush where the flush can run beside the work of the targets. */
  #store(work: (mode: CopyOptions) => void, options: CopyPersistOptions): void {
    const durable = options.noDrain ? undrained : noOptions
    this.#fanOut.announce()
    try {
      work(options.noFlush || !this.#storesDurably ? unflushed : durable)
    } catch (error) {
      throw this.#fanOut.refused(error)
    }
  }

  /** Cache flushes are best done while storing; msync is better left until the targets have their work. */
  get #storesDurably(): boolean {
    return this.#memory.method === 'dax'
  }

  async #after(at: number, length: number, options: CopyPersistOptions): Promise<Receipt> {
    if (options.noFlush || options.noDrain) return this.#afterSync(at, length, options)
    return this.#wait(this.#begun(at, length, this.#bounded(options), this.#storesDurably), options)
  }

  #afterSync(at: number, length: number, options: CopyPersistOptions): Receipt {
    if (!options.noFlush && !options.noDrain) {
      return this.#receipt(this.#fanOut.persistSync(at, length, this.#bounded(options), this.#storesDurably), options)
    }
    if (!options.noFlush) this.#fanOut.flush(at, length, this.#bounded(options), this.#storesDurably)
    return this.#receipt(nothingYet, options)
  }

  /** Begins at once, or when the policy lets it. */
  #begun(at: number, length: number, options: PoolPersistOptions, stored: boolean): Promise<Reached> {
    if (this.#congestion.admits(this.#pending, options.policy ?? this.#policy)) {
      return this.#fanOut.persist(at, length, options, stored)
    }
    return this.#begunLater(at, length, options, stored)
  }

  async #begunLater(at: number, length: number, options: PoolPersistOptions, stored: boolean): Promise<Reached> {
    const deadlineMs = await this.#congestion.turn(options.policy ?? this.#policy, options.deadlineMs)
    return this.#fanOut.persist(at, length, { ...options, deadlineMs }, stored)
  }

  /** With the deadline of the policy, if the call names none. */
  #bounded<Options extends PoolPersistOptions>(options: Options): Options {
    if (options.policy === undefined && this.#policy.deadlineMs === undefined) return options
    const { deadlineMs } = options.policy ?? this.#policy
    return options.deadlineMs !== undefined || deadlineMs === undefined ? options : { ...options, deadlineMs }
  }

  async #wait(work: Promise<Reached>, options: PoolPersistOptions): Promise<Receipt> {
    if (options.signal) return this.#waitUnlessAborted(work, options, options.signal)
    this.#pending++
    try {
      return this.#receipt(await work, options)
    } finally {
      this.#settle()
    }
  }

  async #waitUnlessAborted(work: Promise<Reached>, options: PoolPersistOptions, signal: AbortSignal): Promise<Receipt> {
    this.#pending++
    const reached = await untilAborted(
      work.finally(() => this.#settle()),
      signal,
    )
    return this.#receipt(reached, options)
  }

  /** close() waits for it. */
  async #counted<T>(work: Promise<T>): Promise<T> {
    this.#pending++
    try {
      return await work
    } finally {
      this.#settle()
    }
  }

  #receipt(reached: Reached, { deep = false }: PoolPersistOptions): Receipt {
    this.#sequence++
    if (reached === undefined) return new Receipt(this.#sequence, deep ? this.#deep : this.#plain)
    // A degraded pool reaches the same again and again.
    if (this.#lastReached?.reached !== reached) {
      this.#lastReached = { reached, receipts: receiptsOf(this.#assembly.replicas, deep, reached) }
    }
    return new Receipt(this.#sequence, this.#lastReached.receipts)
  }

  /** Of what every replica holds; made again when a replica comes back on other storage. */
  get #plain(): readonly ReplicaReceipt[] {
    this.#wholePlain ??= receiptsOf(this.#assembly.replicas, false)
    return this.#wholePlain
  }

  get #deep(): readonly ReplicaReceipt[] {
    this.#wholeDeep ??= receiptsOf(this.#assembly.replicas, true)
    return this.#wholeDeep
  }

  #changed(change: ReplicaChange): void {
    this.#lastReached = undefined
    this.#wholePlain = undefined
    this.#wholeDeep = undefined
    this.#fanOut.stepped()
    if (this.#state === 'closing' || this.#state === 'closed') return
    this.#journal.record(change.state, change.replica, change)
    queueMicrotask(() => {
      this.emit('replica-state', change)
      poolChannels.replicaState.publish({ pool: this, ...change })
    })
    const { replica, state, error } = change
    if (state === 'synced') this.#inStep.add(replica)
    else if (this.#inStep.delete(replica)) this.#tellLoss({ replica, kind: 'remote', error })
  }

  /** Listeners run after the operation has told its own caller. */
  #tellLoss(loss: ReplicaLoss): void {
    queueMicrotask(() => {
      this.emit('replica-lost', loss)
      poolChannels.replicaLost.publish({ pool: this, ...loss })
    })
  }

  #progressed(progress: ReplicaProgress): void {
    this.#journal.progressed(progress.replica, progress)
    this.emit('resync-progress', progress)
    poolChannels.resyncProgress.publish({ pool: this, ...progress })
  }

  #verified(found: Verification): Verification {
    if (isEqualThroughout(found, this.size)) this.#journal.verified(found.replica)
    poolChannels.replicaVerified.publish({ pool: this, ...found })
    return found
  }

  #settle(): void {
    this.#pending--
    this.#congestion.settled(this.#pending)
    if (this.#pending === 0) this.#settled?.()
  }

  #lose(replica: Replica, error: unknown): void {
    if (this.#state !== 'open' && this.#state !== 'failed') return
    this.#state = 'failed'
    this.#journal.record('lost', replica.name, { error })
    this.#tellLoss({ replica: replica.name, kind: replica.kind, error })
  }
}

/** With the debug check that the options ask for. */
async function checked(assembly: Assembly, { trackUnpersisted, throwUnpersisted }: OpenPoolOptions): Promise<Assembly> {
  if (!trackUnpersisted && !throwUnpersisted) return assembly
  const { master, base, size, growth } = assembly
  try {
    return {
      ...assembly,
      throwUnpersisted,
      unpersisted: Unpersisted.of(master.memory, base, growth?.reservation ?? size),
    }
  } catch (error) {
    await new Pool(assembly).close()
    throw error
  }
}

const noOptions = {}
const unflushed: CopyOptions = { noFlush: true }
const undrained: CopyOptions = { noDrain: true }
/** Only a drain tells. */
const nothingYet: Reached = []

const toPoolSet = async (source: string | PoolSet): Promise<PoolSet> =>
  typeof source === 'string' ? loadPoolSet(source) : source

const fileOf = (source: string | PoolSet): string | undefined => (typeof source === 'string' ? source : undefined)

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

function outside(offset: number, length: number, size: number): RpmemError {
  return new RpmemError('ERR_RANGE', `${length} bytes at ${offset} are not inside the ${size} bytes of the pool`, {
    facts: { offset, length, size },
  })
}

function growsNot(attached: boolean): RpmemError {
  if (attached) return new RpmemError('ERR_THREAD', 'a pool grows in the thread that opened it')
  return new RpmemError('ERR_POOLSET_UNSUITABLE', 'only a pool over directories can grow', {
    hint: 'Name directories as parts in the pool set, with the option SINGLEHDR and a size that leaves room.',
  })
}

function tooLittle(length: number): RpmemError {
  return new RpmemError('ERR_ARGUMENT', `a pool grows by whole bytes, at least ${minimumPartSize}`, {
    facts: { argument: 'length', length },
  })
}

function toByte(byte: number): number {
  if (Number.isInteger(byte) && byte >= 0 && byte <= 255) return byte
  throw new RpmemError('ERR_ARGUMENT', 'a byte is a number from 0 to 255', { facts: { argument: 'byte', byte } })
}
