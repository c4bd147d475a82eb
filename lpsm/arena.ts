import { EventEmitter } from 'node:events'
import { alignUp, hasCode, MiB, pageSize, RpmemError } from '../core/index.js'
import { type ArenaMemory, eachRun, type PageRuns, type Tracking, type TrackingReason } from '../fabric-native/index.js'
import { loadImages, pagesAt, pagesOf } from './arena-content.js'
import { arenaClosed, arenaPoisoned, checkpointUnknown, storageError } from './arena-error.js'
import { type ArenaFile, allocate } from './arena-file.js'
import { ArenaLog } from './arena-log.js'
import { closeFiles, openFiles, readWhole } from './arena-opening.js'
import {
  type ArenaOptions,
  type ArenaSettings,
  arenaSettings,
  type CheckpointOptions,
  checkedRatio,
  requireCount,
  reservationFor,
} from './arena-options.js'
import type { ArenaPorts } from './arena-ports.js'
import { type ArenaReading, needsLog, newestOf } from './arena-reading.js'
import {
  type ArenaReport,
  type CheckOptions,
  checkArena,
  checkpointOf,
  openPast,
  type RecoverOptions,
  type Recovery,
  recoverArena,
} from './arena-recovery.js'
import type { ArenaReplicaStatus, ReplicaSource } from './arena-replica.js'
import { ArenaSnapshot } from './arena-snapshot.js'
import type { Checkpoint, CheckpointReceipt, CheckpointUnderWay } from './checkpoint-receipt.js'
import type { CheckpointChanges, CheckpointSink } from './checkpoint-sink.js'
import { pageSums } from './checksum.js'
import { writeDataHeader } from './data-file.js'
import { contentAt, type DataHeader, dataFlags } from './data-header.js'
import { foldPages, moveBase } from './fold.js'
import { lackingOf } from './lacking.js'
import type { LogRecord } from './log-reading.js'
import { nativePorts } from './native-ports.js'
import { type Operation, perform, together, type Work } from './operation.js'
import { openReplica } from './replica-opening.js'
import { type ArenaReplicationOptions, missingOn, Replication } from './replication.js'
import { WorkQueue } from './work-queue.js'

export interface ArenaEvents {
  /** The arena writes no more; `checkpoint` says the same. */
  failure: [error: RpmemError]
  /** The data file is at this checkpoint now. */
  folded: [sequence: number]
  'replica-state': [status: ArenaReplicaStatus]
}

export interface ArenaFiles {
  readonly data: ArenaFile
  readonly log: ArenaFile
  /** What is to be closed behind them. */
  readonly release?: () => Promise<void>
}

/** Pages as they were when a checkpoint was declared. */
interface Taken {
  readonly runs: PageRuns
  readonly images: Buffer
  readonly size: number
  readonly epoch: number
  sequence: number | undefined
}

/**
 * Memory that is always found as it was at a checkpoint: what the program declares consistent is durable as a whole or not at all.
 * LPSM (lpsm(7)) for Node.js. Memory is a private image of the data file; a checkpoint appends the pages that changed to the log;
 * now and then the log is folded into the data file. docs/lpsm.md tells the whole.
 *
 * One object belongs to one thread. Threads that store into views must pause while a checkpoint is declared.
 */
export class Arena extends EventEmitter<ArenaEvents> {
  readonly #files: ArenaFiles
  readonly #ports: ArenaPorts
  readonly #settings: ArenaSettings
  readonly #memory: ArenaMemory
  readonly #log: ArenaLog
  /** What writes to the log, in order. */
  readonly #queue = new WorkQueue()
  /** What writes to the data file. */
  readonly #folds = new WorkQueue()
  readonly #sinks: CheckpointSink[] = []
  readonly #replication: Replication
  readonly #pinned: ArenaSnapshot[] = []
  #header: DataHeader
  #base: LogRecord
  #checkpoints: LogRecord[]
  #last: Promise<unknown> = Promise.resolve()
  #epoch = 0
  #failed: unknown
  #failure: RpmemError | undefined
  #folding = false
  #room: Buffer | undefined
  #closing: Promise<void> | undefined
  #isClosed = false

  protected constructor(
    files: ArenaFiles,
    ports: ArenaPorts,
    settings: ArenaSettings,
    reading: ArenaReading,
    memory: ArenaMemory,
  ) {
    super()
    this.#files = files
    this.#ports = ports
    this.#settings = settings
    this.#memory = memory
    this.#log = new ArenaLog(files.log, reading.log, ports.logGrowth)
    this.#header = reading.data
    this.#base = reading.base
    this.#checkpoints = [...reading.checkpoints]
    this.#replication = new Replication(settings.replication, this.#source(), status =>
      this.emit('replica-state', status),
    )
    this.#sinks.push(...this.#replication.replicas)
  }

  /**
   * Opens an arena at its newest checkpoint, or makes it, at checkpoint 0 and full of zeros, where both files are missing or empty.
   * Both are locked against every other opener until close(). Source: lpsm_arena_init.
   * @throws ERR_ARENA_BUSY; ERR_ARENA_MISSING; ERR_ARENA_FOREIGN; ERR_ARENA_DAMAGED, an ArenaDamagedError that says what can be had;
   * ERR_ARENA_IO; ERR_DISK_FULL; ERR_MAP; ERR_TRACKING
   */
  static async open(dataFile: string, logFile: string, options: ArenaOptions = {}): Promise<Arena> {
    // biome-ignore lint/complexity/noThisInStatic: the class that was called is the one that is made
    const arena = await new WorkQueue().post(openArena(this, dataFile, logFile, arenaSettings(options)))
    try {
      await arena.#replication.begin()
      return arena
    } catch (error) {
      await arena.close()
      throw error
    }
  }

  /** An arena without replicas. */
  static openSync(dataFile: string, logFile: string, options: ArenaOptions = {}): Arena {
    if ((options.replicas ?? []).length > 0) {
      throw new RpmemError('ERR_ARGUMENT', 'an arena with replicas is opened by Arena.open')
    }
    // biome-ignore lint/complexity/noThisInStatic: the class that was called is the one that is made
    return perform(openArena(this, dataFile, logFile, arenaSettings(options)))
  }

  /**
   * Brings the data file of an arena that is not open up to date, so that it needs no log, and cuts the log to its least size. With
   * `at` it goes back to that checkpoint, the only way to open a damaged arena again. Source: lpsm_recover.
   * @throws as `open`, and ERR_CHECKPOINT_UNKNOWN
   */
  static async recover(dataFile: string, logFile: string, options: RecoverOptions = {}): Promise<Recovery> {
    return new WorkQueue().post(recoverArena(dataFile, logFile, nativePorts, options))
  }

  /** Examines an arena that is not open and changes nothing. Damage is a result here, not an error. */
  static async check(dataFile: string, logFile: string, options: CheckOptions = {}): Promise<ArenaReport> {
    return new WorkQueue().post(checkArena(dataFile, logFile, nativePorts, options))
  }

  /**
   * A checkpoint of an arena that is not open, by default the newest, to be read. Other checkpoints may be damaged.
   * @throws ERR_CHECKPOINT_UNKNOWN, also if it is not whole
   */
  static async openCheckpoint(dataFile: string, logFile: string, sequence?: number): Promise<ArenaSnapshot> {
    return new WorkQueue().post(openPast(dataFile, logFile, nativePorts, sequence))
  }

  /**
   * The newest checkpoint of a replica, on the machine that keeps it, to be read.
   * @param poolSet path of the pool set file of the target
   * @throws ERR_ARENA_MISSING, ERR_ARENA_FOREIGN, ERR_ARENA_DAMAGED, ERR_POOL_BUSY as long as it is a replica of an open arena, and as
   * Pool.open
   */
  static async openReplica(
    poolSet: string,
    { verify = true }: Pick<ArenaOptions, 'verify'> = {},
  ): Promise<ArenaSnapshot> {
    const { files, ports, reading, release } = await openReplica(poolSet, verify)
    try {
      const record = newestOf(reading)
      const memory = ports.map(files.data, { size: record.size, reservation: record.size, tracking: 'marking' })
      const snapshot = new ArenaSnapshot(record, memory, () => void release())
      await new WorkQueue().post(loadImages(memory, files.log, reading.checkpoints))
      return snapshot
    } catch (error) {
      await release()
      throw error
    }
  }

  /**
   * Makes a replica, on the machine that keeps it, an arena in its own right: it opens for writing, and the arena that it was a replica
   * of is refused from then on (ERR_REPLICA_DIVERGED). It can grow as far as its pool has room. Opens it again later, too.
   * @throws as `openReplica`
   */
  static async promote(
    poolSet: string,
    options: Omit<ArenaOptions, keyof ArenaReplicationOptions> = {},
  ): Promise<Arena> {
    const settings = arenaSettings(options)
    const { files, ports, place, reading, release } = await openReplica(poolSet, settings.verify)
    try {
      const queue = new WorkQueue()
      if (!place.takenOver) await queue.post(single(place.takeOver()))
      // biome-ignore lint/complexity/noThisInStatic: the class that was called is the one that is made
      return await queue.post(this.over({ ...files, release }, ports, settings, reading))
    } catch (error) {
      await release()
      throw error
    }
  }

  /** An arena on files that were opened, examined and found whole. */
  static *over(files: ArenaFiles, ports: ArenaPorts, settings: ArenaSettings, reading: ArenaReading): Work<Arena> {
    const newest = newestOf(reading)
    const size = Math.max(newest.size, settings.size ?? 0)
    yield* allocate(files.data, contentAt + size)
    const { tracking } = settings
    const reservation = reservationFor(size, settings.maxSize)
    const memory = ports.map(files.data, { size: newest.size, reservation, tracking })
    try {
      const arena = new this(files, ports, settings, reading, memory)
      yield* loadImages(memory, files.log, reading.checkpoints)
      yield* arena.#log.reopen()
      if (!needsLog(reading.data)) {
        arena.#header = yield* writeDataHeader(files.data, reading.data, { flags: dataFlags.needsLog })
      }
      if (size > newest.size) memory.extend(size)
      return arena
    } catch (error) {
      memory.close()
      throw error
    }
  }

  /** Bytes; grows with `extend`. */
  get size(): number {
    return this.#memory.size
  }

  /** How changed pages are found. */
  get tracking(): Tracking {
    return this.#memory.tracking
  }

  /** Why they are found so. */
  get trackingReasons(): readonly TrackingReason[] {
    return this.#memory.trackingReasons
  }

  get closed(): boolean {
    return this.#isClosed
  }

  /** Set once a write failed; every later checkpoint throws it. */
  get failure(): RpmemError | undefined {
    return this.#failure
  }

  /** Those that can be opened and restored, oldest first; the last is the newest that is durable. */
  get checkpoints(): readonly Checkpoint[] {
    return this.#openable().map(checkpointOf)
  }

  /** Bytes of the log that are in use. */
  get logBytes(): number {
    return this.#log.bytes
  }

  /** For a heap in it. */
  get memory(): ArenaMemory {
    return this.#memory
  }

  /** As they are now. */
  get replicas(): readonly ArenaReplicaStatus[] {
    return this.#replication.replicas.map(({ status }) => status)
  }

  /** Adds a place where checkpoints from the next one on are made durable too. */
  addSink(sink: CheckpointSink): void {
    this.#sinks.push(sink)
  }

  /** A window over the memory, no copy. Untransferable; detached by close(). At most 2^32 - 1 bytes. @throws ERR_RANGE, ERR_CLOSED */
  view(offset: number, length: number): Uint8Array {
    return this.#memory.view(offset, length)
  }

  /** Says that a range was stored to: needed where `tracking` is `marking`, harmless elsewhere. @throws ERR_RANGE, ERR_CLOSED */
  mark(offset: number, length: number): void {
    this.#memory.mark(offset, length)
  }

  /**
   * Declares the memory consistent as it is at the moment of this call: the pages that changed are copied before it returns a
   * promise, which resolves when the checkpoint is durable, on every replica too. Checkpoints become durable in the order in which
   * they were declared. With `wait: 'async'` it resolves as soon as the one before is durable, so that a crash brings back this one
   * or that one. If nothing has changed, no checkpoint is added. Source: lpsm_checkpoint.
   * @throws ERR_DISK_FULL: the arena and what changed stay as they were. ERR_ARENA_POISONED, ERR_ARENA_IO, ERR_CLOSED, ERR_ARGUMENT
   */
  checkpoint(options: CheckpointOptions & { readonly wait: 'async' }): Promise<CheckpointUnderWay>
  checkpoint(options?: CheckpointOptions & { readonly wait?: 'sync' }): Promise<CheckpointReceipt>
  async checkpoint({
    wait = 'sync',
    ratio,
  }: CheckpointOptions & { readonly wait?: 'sync' | 'async' } = {}): Promise<CheckpointReceipt | CheckpointUnderWay> {
    const share = this.#ratio(ratio)
    if (wait !== 'sync' && wait !== 'async') {
      throw new RpmemError('ERR_ARGUMENT', "wait is 'sync' or 'async'", { facts: { wait: String(wait) } })
    }
    const taken = this.#take()
    const before = this.#last
    const durable = this.#queue.post(this.#commit(taken, share))
    this.#last = durable.catch(() => {})
    if (wait === 'sync') return durable
    await before
    // If the one before has failed, this one does too.
    const sequence = taken.sequence ?? (await durable).sequence
    durable.catch(() => {})
    return { sequence, pages: taken.images.length / pageSize, durable }
  }

  /** The same, blocking until it is durable; checkpoints that are under way are finished first. */
  checkpointSync({ ratio }: CheckpointOptions = {}): CheckpointReceipt {
    const share = this.#ratio(ratio)
    const receipt = this.#queue.perform(this.#commit(this.#take(), share))
    this.#folds.nudge()
    return receipt
  }

  /**
   * Enlarges the arena to `size` bytes, rounded up to 4096; what is new is zeros. Views stay. A crash before the next checkpoint
   * takes it back. Source: lpsm_extend.
   * @throws ERR_DISK_FULL, ERR_MAP: the arena keeps its size
   */
  async extend(size: number): Promise<void> {
    await this.#queue.post(this.#extend(size))
  }

  extendSync(size: number): void {
    this.#queue.perform(this.#extend(size))
  }

  /** A kept checkpoint, to be read. @throws ERR_CHECKPOINT_UNKNOWN */
  async openCheckpoint(sequence: number): Promise<ArenaSnapshot> {
    return this.#queue.post(this.#open(sequence))
  }

  /**
   * Makes the memory what it was at a kept checkpoint, and that a new checkpoint; the ones in between are kept. What has changed
   * since the last checkpoint is lost. The arena keeps its size.
   * @throws ERR_CHECKPOINT_UNKNOWN, and as `checkpoint`
   */
  async restore(sequence: number): Promise<CheckpointReceipt> {
    return this.#queue.post(this.#restore(sequence))
  }

  /**
   * Waits for checkpoints that are under way and closes both files. It takes no checkpoint: what has changed since the last one is
   * dropped, and views are detached. Idempotent. Source: lpsm_shutdown.
   */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  /** `close` by its name in LPSM. */
  shutdown(): Promise<void> {
    return this.close()
  }

  closeSync(): void {
    if (this.#isClosed) return
    this.#closing ??= Promise.resolve()
    this.#folds.drain()
    void this.#replication.close()
    this.#queue.perform(this.#shut())
    void this.#files.release?.()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #newest(): LogRecord {
    return this.#checkpoints.at(-1) ?? this.#base
  }

  #openable(): LogRecord[] {
    const least = Math.max(this.#header.base, this.#newest.sequence - this.#settings.keep + 1)
    return [this.#base, ...this.#checkpoints].filter(({ sequence }) => sequence >= least)
  }

  #ratio(ratio: number | undefined): number {
    this.#requireOpen()
    return ratio === undefined ? this.#settings.ratio : checkedRatio(ratio)
  }

  #requireOpen(): void {
    if (this.#closing) throw arenaClosed()
    if (this.#failure) throw this.#failure
  }

  #take(): Taken {
    const runs = this.#memory.takeDirty()
    const taken = { runs, size: this.size, epoch: this.#epoch, sequence: undefined }
    try {
      return { ...taken, images: this.#memory.copyPages(runs, this.#takeRoom()) }
    } catch (error) {
      this.#giveBack(taken)
      throw error
    }
  }

  /** Room for images that no checkpoint under way uses. */
  #takeRoom(): Buffer | undefined {
    const room = this.#room
    this.#room = undefined
    return room
  }

  #giveRoom({ images }: Taken): void {
    // Nothing else lies in its memory.
    const room = Buffer.from(images.buffer)
    if (room.length <= mostRoom && room.length >= (this.#room?.length ?? 0)) this.#room = room
  }

  /** What was not written has changed still. */
  #giveBack({ runs }: Pick<Taken, 'runs'>): void {
    if (this.#memory.closed || this.#memory.failure) return
    for (const [first, count] of eachRun(runs)) this.#memory.mark(first * pageSize, count * pageSize)
  }

  *#commit(taken: Taken, ratio: number): Work<CheckpointReceipt> {
    let receipt: CheckpointReceipt
    try {
      receipt = yield* this.#write(taken)
    } catch (error) {
      // What is durable here need not be written again; the next checkpoint says whether the replicas have it.
      if (hasCode(error, 'ERR_PERSIST')) this.#considerFold(ratio)
      else this.#giveBack(taken)
      throw error
    }
    this.#giveRoom(taken)
    this.#considerFold(ratio)
    return receipt
  }

  *#write(taken: Taken): Work<CheckpointReceipt> {
    if (this.#failure) throw this.#failure
    if (taken.epoch !== this.#epoch) throw this.#failed
    const newest = this.#newest
    const pages = pagesOf(taken.runs)
    const isNew = pages.length > 0 || taken.size > newest.size
    taken.sequence = newest.sequence + (isNew ? 1 : 0)
    if (!isNew) return this.#receipt(newest.sequence, 0, this.#absent())
    yield* this.#awaitFold()
    const { images, size, sequence } = taken
    const changes = { sequence, timeMs: this.#ports.now(), size, pages, sums: pageSums(images), images }
    return yield* this.#append(changes)
  }

  *#append(changes: CheckpointChanges): Work<CheckpointReceipt> {
    const missing = this.#absent()
    const present = this.#sinks.filter(sink => !missing.some(one => one.sink === sink))
    try {
      const draft = yield* this.#log.draft({ ...changes, kind: 'checkpoint' })
      const others = present.map(sink => caught(sink.prepare(changes), error => missing.push({ sink, error })))
      yield together([this.#log.write(draft, [changes.images]), ...others])
      this.#log.accept(draft)
      this.#checkpoints.push(draft.record)
    } catch (error) {
      throw this.#fail('the checkpoint could not be written', this.#files.log, error)
    }
    const prepared = present.filter(sink => !missing.some(one => one.sink === sink))
    yield together(prepared.map(sink => caught(sink.commit(), error => missing.push({ sink, error }))))
    return this.#receipt(changes.sequence, changes.pages.length, missing)
  }

  #absent(): { sink: CheckpointSink; error: unknown }[] {
    return this.#sinks.flatMap(sink => (sink.absence ? [{ sink, error: sink.absence }] : []))
  }

  #receipt(sequence: number, pages: number, missing: readonly { sink: CheckpointSink; error: unknown }[]) {
    const error = missingOn(missing)
    if (error) throw error
    const durable = this.#sinks.filter(sink => !missing.some(one => one.sink === sink))
    return { sequence, pages, durableOn: ['local', ...durable.map(({ name }) => name)] }
  }

  #source(): ReplicaSource {
    const arenaOf = () => {
      const { size } = this.#newest
      const capacity = alignUp(Math.max(size, this.#settings.replication.capacity ?? 0), pageSize)
      return { id: this.#header.arena, size, capacity, timeMs: this.#header.createdMs }
    }
    return {
      get arena() {
        return arenaOf()
      },
      inTurn: work => this.#queue.post(work),
      lacking: (sequence, sums) => lackingOf(this.#files, this.#base, this.#checkpoints, sequence, sums),
    }
  }

  /** A full disk is told and forgotten; whatever else fails leaves the files in a state that nobody knows. */
  #fail(what: string, file: ArenaFile, cause: unknown): RpmemError {
    this.#epoch++
    const error = storageError(what, file.path, cause)
    this.#failed = error
    if (hasCode(error, 'ERR_DISK_FULL')) {
      this.#considerFold(0)
      return error
    }
    this.#failure ??= arenaPoisoned(error)
    process.nextTick(() => this.emit('failure', error))
    return error
  }

  #considerFold(ratio: number): void {
    if (this.#folding || this.#closing || this.#failure || this.#log.bytes <= ratio * this.size) return
    const target = this.#foldable()
    if (target.length === 0) return
    this.#folding = true
    this.#folds.post(this.#fold(target)).catch(error => {
      this.#folding = false
      this.#fail('the log could not be folded', this.#files.data, error)
    })
  }

  /** The checkpoints that need not be kept apart. */
  #foldable(): LogRecord[] {
    const least = Math.min(
      this.#newest.sequence - this.#settings.keep + 1,
      ...this.#pinned.map(({ sequence }) => sequence),
    )
    return this.#checkpoints.filter(({ sequence }) => sequence <= least)
  }

  *#fold(checkpoints: readonly LogRecord[]): Work {
    const { base } = yield* foldPages(
      {
        data: this.#files.data,
        log: this.#files.log,
        header: this.#header,
        base: this.#base,
        checkpoints,
        stopped: () => this.#closing !== undefined,
      },
      header => {
        this.#header = header
      },
    )
    if (base === undefined) {
      this.#folding = false
      return
    }
    this.#queue.post(this.#moveBase(base)).catch(error => {
      this.#folding = false
      this.#fail('the log could not be folded', this.#files.log, error)
    })
  }

  *#moveBase(base: Parameters<typeof moveBase>[1]): Work {
    if (this.#failure) throw this.#failure
    this.#base = yield* moveBase(this.#log, base)
    this.#checkpoints = this.#checkpoints.filter(({ sequence }) => sequence > base.sequence)
    this.#folding = false
    process.nextTick(() => this.emit('folded', base.sequence))
  }

  /** Checkpoints that come faster than the fold wait for it, lest the log grow without bound. */
  *#awaitFold(): Work {
    const bound = 2 * this.#settings.ratio * this.size + this.size
    if (this.#folding && !this.#folds.idle && this.#log.bytes > bound) yield this.#folds.operation(nothing())
  }

  *#extend(size: number): Work {
    this.#requireOpen()
    requireCount('size', size, 1)
    const whole = alignUp(size, pageSize)
    if (whole <= this.size) return
    yield* allocate(this.#files.data, contentAt + whole)
    this.#memory.extend(whole)
  }

  #kept(sequence: number): LogRecord {
    const openable = this.#openable()
    const found = openable.find(record => record.sequence === sequence)
    if (found) return found
    throw checkpointUnknown(
      sequence,
      openable.map(({ sequence }) => sequence),
    )
  }

  #upTo({ sequence }: LogRecord): LogRecord[] {
    return this.#checkpoints.filter(record => record.sequence <= sequence)
  }

  *#open(sequence: number): Work<ArenaSnapshot> {
    this.#requireOpen()
    const record = this.#kept(sequence)
    const { data, log } = this.#files
    const memory = this.#ports.map(data, { size: record.size, reservation: record.size, tracking: 'marking' })
    const snapshot = new ArenaSnapshot(record, memory, () => this.#pinned.splice(this.#pinned.indexOf(snapshot), 1))
    this.#pinned.push(snapshot)
    yield* loadImages(memory, log, this.#upTo(record))
    return snapshot
  }

  *#restore(sequence: number): Work<CheckpointReceipt> {
    this.#requireOpen()
    const record = this.#kept(sequence)
    const later = this.#checkpoints.filter(record => record.sequence > sequence)
    const changed = new Set([...later.flatMap(({ pages }) => [...pages]), ...pagesOf(this.#memory.peekDirty())])
    for (const [page, image] of pagesAt(this.#files, this.#upTo(record), changed)) {
      this.#memory.view(page * pageSize, pageSize).set(image)
      this.#memory.mark(page * pageSize, pageSize)
    }
    return yield* this.#commit(this.#take(), this.#settings.ratio)
  }

  async #end(): Promise<void> {
    if (this.#isClosed) return
    await this.#folds.post(nothing())
    await this.#queue.post(nothing())
    await this.#replication.close()
    await this.#queue.post(this.#shut())
    await this.#files.release?.()
  }

  *#shut(): Work {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      if (!this.#failure) yield* this.#log.close()
    } catch (error) {
      throw storageError('the log could not be closed', this.#files.log.path, error)
    } finally {
      for (const snapshot of [...this.#pinned]) snapshot.close()
      this.#memory.close()
      this.#files.log.close()
      this.#files.data.close()
    }
  }
}

function* openArena(kind: typeof Arena, dataFile: string, logFile: string, settings: ArenaSettings): Work<Arena> {
  const files = yield* openFiles(dataFile, logFile, nativePorts, { size: settings.size })
  try {
    const reading = yield* readWhole(files, settings.verify, settings.keep)
    return yield* kind.over(files, nativePorts, settings, reading)
  } catch (error) {
    closeFiles(files)
    throw error
  }
}

/** Bytes that are kept for the images of the next checkpoint. */
const mostRoom = 16 * MiB

function* nothing(): Work {}

function* single(operation: Operation): Work {
  yield operation
}

/** The failure of one sink keeps nobody else from anything. */
const caught = (operation: Operation, onError: (error: unknown) => void): Operation => ({
  run() {
    try {
      operation.run()
    } catch (error) {
      onError(error)
    }
  },
  start() {
    const pending = operation.start()
    return {
      done: pending.done.catch(onError),
      join() {
        try {
          pending.join()
        } catch (error) {
          onError(error)
        }
      },
    }
  },
})
