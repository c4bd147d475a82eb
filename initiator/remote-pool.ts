import { EventEmitter } from 'node:events'
import { attributesAreZero, hasCode, type Log, type PoolAttributes, RpmemError } from '../core/index.js'
import {
  attachLanes,
  type DurabilityMethod,
  type LaneOperation,
  type Lanes,
  type Memory,
} from '../fabric-native/index.js'
import type { Keeping, Persisting, Transport } from '../pool/index.js'
import { unlessAborted } from './abortable-wait.js'
import { logFailure, logged } from './initiator-log.js'
import { RemoteBounds } from './remote-bounds.js'
import { keepingOf } from './remote-keeping.js'
import { createOnTarget, type Opened, openOnTarget } from './remote-opening.js'
import type { RemoteOperation, RemotePoolEvents, RemoteWait } from './remote-operation.js'
import {
  checkAttributes,
  logOf,
  type RemotePoolCreateOptions,
  type RemotePoolOptions,
  type RemotePoolRemoveOptions,
} from './remote-pool-options.js'
import { factsOf, type RemotePoolFacts, type RemotePoolToken } from './remote-pool-token.js'
import { removeRemotePool } from './remote-removal.js'
import { SessionWatch } from './session-watch.js'
import { StartedPersist } from './started-persist.js'
import { lossOf, lostBefore } from './target-loss.js'

/**
 * One remote replica of a memory, function by function as librpmem(7): rpmem_create(3), rpmem_persist(3) and their kin. Offsets
 * count from pool offset 0, header page included. After a persist, or a drain of the lane, the range is durable on the target by
 * its storage's own method (`durability`).
 *
 * One object belongs to one thread; `share` and `attach` bring the pool to others, which use the same connections.
 */
export class RemotePool extends EventEmitter<RemotePoolEvents> {
  /** Lanes granted, at least 1. Source: nlanes of rpmem_create(3) and rpmem_open(3). */
  readonly laneCount: number
  /**
   * Of calls that name none. 0 in the thread that opened the pool; each thread that attaches is given the lane that the fewest
   * have so, which is one of its own as long as there are enough. Source: lane of rpmem_persist(3).
   */
  readonly defaultLane: number
  /** Lanes asked for; the target may have granted fewer. Source: nlanes of rpmem_create(3) and rpmem_open(3), on entry. */
  readonly lanesRequested: number
  readonly transport: Transport
  /** How the target makes bytes durable; undefined if a PMDK peer does not say. */
  readonly durability: DurabilityMethod | undefined
  /** Bytes mirrored, from pool offset 0, header page included. Source: pool_size of rpmem_create(3) and rpmem_open(3). */
  readonly size: number
  /** 'user@node2:22 remote.set' */
  readonly name: string
  readonly #facts: RemotePoolFacts
  readonly #lanes: Lanes
  /** Undefined in a thread that attached. */
  readonly #watch: SessionWatch | undefined
  readonly #hasHeaders: boolean
  readonly #bounds: RemoteBounds
  readonly #defaults: LaneOperation
  readonly #keeping: Keeping | undefined
  readonly #deadlineMs: number
  readonly #log: Log
  #attributes: PoolAttributes | undefined
  #lost: RpmemError | undefined
  #closing: Promise<void> | undefined
  #pending = 0
  #idle: () => void = () => {}

  private constructor(facts: RemotePoolFacts, lanes: Lanes, opened?: Opened) {
    super()
    const { name, size, attributes, deadlineMs } = facts
    this.laneCount = lanes.count
    this.defaultLane = lanes.lane
    this.lanesRequested = facts.lanesRequested
    this.transport = facts.transport
    this.durability = facts.durability
    this.size = size
    this.name = name
    this.#facts = facts
    this.#lanes = lanes
    this.#attributes = attributes
    this.#hasHeaders = attributes !== undefined && !attributesAreZero(attributes)
    this.#bounds = new RemoteBounds({ name, size, laneCount: lanes.count, hasHeaders: this.#hasHeaders })
    this.#deadlineMs = deadlineMs
    this.#defaults = { lane: lanes.lane, deadlineMs }
    this.#log = opened?.target.log ?? logOf({})
    lanes.onDown(error => this.#lose(error))
    if (!opened) return
    const { session, target, grant } = opened
    this.#keeping = keepingOf(session, grant, this)
    this.#watch = new SessionWatch({ ...opened, clock: target.clock, onLost: cause => this.#lose(cause) })
    if (this.laneCount < this.lanesRequested) {
      target.log.write('notice', `${name}: ${this.laneCount} of ${this.lanesRequested} lanes were granted`)
    }
  }

  /** rpmem_create(3). The pool set `set` lies below the poolset-dir of the target. On failure nothing is left there. */
  static async create(
    node: string,
    set: string,
    memory: Memory,
    options: RemotePoolCreateOptions,
  ): Promise<RemotePool> {
    const opening = createOnTarget(node, set, memory, options, options.attributes)
    return RemotePool.#over(await logged(logOf(options), `create ${node} ${set}`, opening), options)
  }

  /** rpmem_open(3). */
  static async open(node: string, set: string, memory: Memory, options: RemotePoolOptions = {}): Promise<RemotePool> {
    const opening = openOnTarget(node, set, memory, options)
    return RemotePool.#over(await logged(logOf(options), `open ${node} ${set}`, opening), options)
  }

  /**
   * A pool that another thread of this process has opened and shared. ERR_CLOSED if it was closed meanwhile. Its attributes are
   * those of the moment when it was shared. close() leaves the pool; that of the thread which opened it ends the pool for all,
   * and what the others have pending is ERR_CLOSED. In C threads share what rpmem_open(3) gave.
   */
  static attach(token: RemotePoolToken): RemotePool {
    return new RemotePool(token, attachLanes(token.lanes))
  }

  static #over(opened: Opened, options: RemotePoolOptions): RemotePool {
    return new RemotePool(factsOf(opened, options), opened.lanes, opened)
  }

  /** rpmem_remove(3). */
  static async remove(node: string, set: string, options: RemotePoolRemoveOptions = {}): Promise<void> {
    await logged(logOf(options), `remove ${node} ${set}`, removeRemotePool(node, set, options))
  }

  /** What the target knows of its copy, and can say of its content. */
  get keeping(): Keeping | undefined {
    return this.#keeping
  }

  /** As the headers on the target have them; undefined for a pool without headers. */
  get attributes(): PoolAttributes | undefined {
    return this.#attributes
  }

  /** For `RemotePool.attach` in a worker thread; good until close(), or until the target is lost. Threads of C use the RPMEMpool of rpmem_open(3) itself. */
  share(): RemotePoolToken {
    if (this.#closing) throw this.#closedError()
    if (this.#lost) throw lostBefore(this.#lost)
    return { ...this.#facts, attributes: this.#attributes, lanes: this.#lanes.share() }
  }

  /** Set once the target is lost. */
  get failure(): RpmemError | undefined {
    return this.#lost
  }

  /** rpmem_persist(3), blocking. */
  persistSync(offset: number, length: number, operation?: RemoteOperation): void {
    this.#check(offset, length, operation)
    try {
      this.#lanes.persistSync(offset, length, this.#with(operation))
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** rpmem_persist(3). */
  async persist(offset: number, length: number, operation?: RemoteWait): Promise<void> {
    this.#check(offset, length, operation)
    if (operation?.signal) {
      return this.#wait(() => this.#lanes.persist(offset, length, this.#with(operation)), operation)
    }
    // Written out, because this is the way of most calls and each promise costs.
    this.#pending++
    try {
      await this.#lanes.persist(offset, length, this.#with(operation))
    } catch (error) {
      throw this.#translate(error)
    } finally {
      if (--this.#pending === 0) this.#idle()
    }
  }

  /**
   * Begins a persist, so that several pools work side by side; the range is durable once the result is finished, exactly once.
   * Arguments and errors as persistSync, and with `deep` as deepPersistSync. Source: rpmem_persist(3), rpmem_deep_persist(3).
   */
  start(offset: number, length: number, operation?: RemoteOperation & { readonly deep?: boolean }): Persisting {
    this.#check(offset, length, operation)
    try {
      return new StartedPersist(this.#lanes, this.#lanes.start(offset, length, this.#with(operation)), this.#rethrow)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** rpmem_flush(3): durable after a drain of the same lane by the same thread. */
  flush(offset: number, length: number, operation?: RemoteOperation): void {
    this.#check(offset, length, operation)
    try {
      this.#lanes.flush(offset, length, this.#with(operation))
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** rpmem_drain(3), blocking. */
  drainSync(operation?: RemoteOperation): void {
    this.#checkState(operation, 'owing')
    try {
      this.#lanes.drainSync(this.#with(operation))
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** rpmem_drain(3). */
  async drain(operation?: RemoteWait): Promise<void> {
    this.#checkState(operation, 'owing')
    await this.#wait(() => this.#lanes.drain(this.#with(operation)), operation)
  }

  /** rpmem_deep_persist(3), blocking: the lowest domain that the software of the target reaches. */
  deepPersistSync(offset: number, length: number, operation?: RemoteOperation): void {
    this.#check(offset, length, operation)
    try {
      this.#lanes.persistSync(offset, length, { ...this.#with(operation), deep: true })
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** rpmem_deep_persist(3). */
  async deepPersist(offset: number, length: number, operation?: RemoteWait): Promise<void> {
    this.#check(offset, length, operation)
    await this.#wait(() => this.#lanes.persist(offset, length, { ...this.#with(operation), deep: true }), operation)
  }

  /** rpmem_read(3), blocking: what the target holds, header page included. */
  readSync(offset: number, into: Uint8Array, operation?: RemoteOperation): void {
    this.#checkState(operation)
    this.#bounds.checkReadable(offset, into.length)
    try {
      this.#lanes.readSync(offset, into, this.#with(operation))
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** rpmem_read(3). `into` must stay untouched until the promise settles. */
  async read(offset: number, into: Uint8Array, operation?: RemoteWait): Promise<void> {
    this.#checkState(operation)
    this.#bounds.checkReadable(offset, into.length)
    await this.#wait(() => this.#lanes.read(offset, into, this.#with(operation)), operation)
  }

  /**
   * rpmem_set_attr(3): durable in the headers of the target when it resolves. Undefined only for a pool without headers. Only
   * the thread that opened the pool may do it, others get ERR_THREAD.
   */
  async setAttributes(attributes: PoolAttributes | undefined): Promise<void> {
    this.#checkState()
    const watch = this.#watch
    if (!watch) throw notHere('attributes are set by the thread that opened the pool')
    checkAttributes(attributes)
    const given = attributes !== undefined && !attributesAreZero(attributes)
    if (given !== this.#hasHeaders) throw contradiction(given)
    await this.#wait(() => watch.setAttributes(attributes))
    this.#log.write('info', `set the attributes of ${this.name}: done`)
    this.#attributes = attributes
  }

  /**
   * rpmem_close(3): lets pending calls settle, then ends lanes and session. Idempotent. `remove` takes back a pool that this
   * object created. A lost pool closes without error, also if the loss shows only now: a target that gives
   * no sign of life for 3 s, or works on its close for longer than `openDeadlineMs`, is left to itself. With `remove` that is
   * ERR_TARGET_LOST: the pool may or may not be there still. In a thread that has attached it only leaves the pool, and `remove`
   * is ERR_THREAD.
   */
  close({ remove = false }: { readonly remove?: boolean } = {}): Promise<void> {
    if (remove && !this.#watch) return Promise.reject(notHere('a pool is removed by the thread that created it'))
    // A blocking call may have met the end of the lanes before the event loop could tell of it.
    if (!this.#closing && this.#lanes.down) this.#lose(this.#lanes.down)
    this.#closing ??= logged(this.#log, `close ${this.name}`, this.#close(remove))
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(remove: boolean): Promise<void> {
    if (this.#pending > 0) {
      await new Promise<void>(resolve => {
        this.#idle = resolve
      })
    }
    this.#watch?.withoutLanes()
    await this.#lanes.close()
    try {
      if (remove && !this.#watch)
        throw new RpmemError('ERR_ARGUMENT', 'a pool is removed by the thread that created it')
      if (!this.#lost) await this.#sayGoodbye(remove)
      else if (remove) throw this.#lost
    } finally {
      this.#watch?.stop()
      this.emit('closed')
    }
  }

  async #sayGoodbye(remove: boolean): Promise<void> {
    try {
      await this.#watch?.goodbye(remove)
    } catch (error) {
      if (!this.#lost) throw error
      if (remove) throw this.#lost
    }
  }

  #check(offset: number, length: number, operation: RemoteOperation | undefined): void {
    this.#checkState(operation)
    this.#bounds.checkWritable(offset, length)
  }

  /** `owing`: the call speaks of ranges that were sent before it. */
  #checkState(operation?: RemoteOperation, owing?: 'owing'): void {
    if (this.#closing) throw this.#closedError()
    if (this.#lost) throw owing ? this.#lost : lostBefore(this.#lost)
    this.#bounds.checkLane(operation?.lane)
  }

  #closedError(): RpmemError {
    return new RpmemError('ERR_CLOSED', `${this.name} is closed`, { facts: { pool: this.name } })
  }

  #with(operation: (RemoteOperation & { readonly deep?: boolean }) | undefined): LaneOperation {
    if (operation === undefined) return this.#defaults
    // Written out, because objects that a spread makes are slow to read, and a flush takes less time than that.
    const { lane = this.defaultLane, relaxed = false, deep = false, deadlineMs = this.#deadlineMs } = operation
    return { lane, relaxed, deep, deadlineMs }
  }

  async #wait<T>(call: () => Promise<T>, wait?: RemoteWait): Promise<T> {
    this.#pending++
    try {
      const outcome = call()
      return wait?.signal ? await unlessAborted(outcome, wait.signal) : await outcome
    } catch (error) {
      throw this.#translate(error)
    } finally {
      if (--this.#pending === 0) this.#idle()
    }
  }

  /**
   * Calls that were under way when the target was lost end because the lanes were closed: the loss is the reason. A blocking
   * call may learn of the loss before any event could tell it.
   */
  readonly #translate = (error: unknown): unknown => {
    if (!hasCode(error, 'ERR_CLOSED', 'ERR_TARGET_LOST', 'ERR_CONTROL_LOST')) {
      logFailure(this.#log, this.name, error)
      return error
    }
    if (error.code === 'ERR_TARGET_LOST') this.#lose(error)
    return this.#lost ?? error
  }

  readonly #rethrow = (error: unknown): never => {
    throw this.#translate(error)
  }

  #lose(cause: Error): void {
    if (this.#lost) return
    const lost = lossOf(this.name, cause)
    this.#lost = lost
    logFailure(this.#log, this.name, lost)
    // Threads that share the lanes are to learn it as a loss, and not as a close.
    this.#lanes.lose(cause)
    this.#watch?.abandon(lost)
    const ended = this.#lanes.close().catch(() => {})
    // Whoever closes the pool learns it from close, if it matters.
    if (!this.#closing) void ended.then(() => this.emit('lost', lost))
  }
}

const notHere = (rule: string): RpmemError => new RpmemError('ERR_THREAD', rule)

function contradiction(given: boolean): RpmemError {
  const rule = given ? 'the pool has no headers for attributes' : 'the headers of the pool need attributes'
  return new RpmemError('ERR_ATTRIBUTES', rule)
}
