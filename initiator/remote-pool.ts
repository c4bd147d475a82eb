import { EventEmitter } from 'node:events'
import { attributesAreZero, type Clock, hasCode, type Log, type PoolAttributes, RpmemError } from '../core/index.js'
import type { DurabilityMethod, LaneOperation, Lanes, Memory } from '../fabric-native/index.js'
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
import { removeRemotePool } from './remote-removal.js'
import type { Session } from './session.js'
import { StartedPersist } from './started-persist.js'
import { goodbyeMs, lossOf, lostBefore, silenceOf } from './target-loss.js'
import { Watchdog } from './watchdog.js'

const pingIntervalMs = 500
const pingRounds = 4

/**
 * One remote replica of a memory, function by function as librpmem(7): rpmem_create(3), rpmem_persist(3) and their kin. Offsets
 * count from pool offset 0, header page included. After a persist, or a drain of the lane, the range is durable on the target by
 * its storage's own method (`durability`).
 */
export class RemotePool extends EventEmitter<RemotePoolEvents> {
  /** Lanes granted, at least 1. Source: nlanes of rpmem_create(3) and rpmem_open(3). */
  readonly laneCount: number
  /** Lanes asked for; the target may have granted fewer. Source: nlanes of rpmem_create(3) and rpmem_open(3), on entry. */
  readonly lanesRequested: number
  readonly transport: Transport
  /** How the target makes bytes durable; undefined if a PMDK peer does not say. */
  readonly durability: DurabilityMethod | undefined
  /** Bytes mirrored, from pool offset 0, header page included. Source: pool_size of rpmem_create(3) and rpmem_open(3). */
  readonly size: number
  /** 'user@node2:22 remote.set' */
  readonly name: string
  readonly #session: Session
  readonly #lanes: Lanes
  readonly #hasHeaders: boolean
  readonly #bounds: RemoteBounds
  readonly #defaults: LaneOperation
  readonly #keeping: Keeping
  readonly #deadlineMs: number
  readonly #clock: Clock
  readonly #log: Log
  readonly #watchdog: Watchdog
  #attributes: PoolAttributes | undefined
  #lost: RpmemError | undefined
  #closing: Promise<void> | undefined
  #pending = 0
  #idle: () => void = () => {}

  private constructor(opened: Opened, options: RemotePoolOptions) {
    super()
    const { target, set, size, session, lanes, lanesRequested, grant, choice } = opened
    this.laneCount = lanes.count
    this.lanesRequested = lanesRequested
    this.transport = { provider: choice.provider, persistMethod: grant.method, why: choice.why }
    this.durability = grant.durability ?? (grant.method === 'APM' ? 'dax' : undefined)
    this.size = size
    this.name = `${target.shell.name} ${set}`
    this.#session = session
    this.#lanes = lanes
    this.#attributes = grant.attributes
    this.#hasHeaders = grant.attributes !== undefined && !attributesAreZero(grant.attributes)
    this.#bounds = new RemoteBounds({ name: this.name, size, laneCount: lanes.count, hasHeaders: this.#hasHeaders })
    this.#keeping = keepingOf(session, grant, this)
    this.#deadlineMs = options.deadlineMs ?? 3000
    this.#defaults = { deadlineMs: this.#deadlineMs }
    this.#clock = target.clock
    this.#log = target.log
    this.#watchdog = new Watchdog({
      clock: target.clock,
      ping: () => this.#ping(),
      intervalMs: pingIntervalMs,
      rounds: pingRounds,
      onSilent: silentMs => this.#lose(silenceOf(silentMs)),
    })
    lanes.onDown(error => this.#lose(error))
    session.onLost(error => this.#lose(error))
    session.unref()
    if (this.laneCount < lanesRequested) {
      target.log.write('notice', `${this.name}: ${this.laneCount} of ${lanesRequested} lanes were granted`)
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
    return new RemotePool(await logged(logOf(options), `create ${node} ${set}`, opening), options)
  }

  /** rpmem_open(3). */
  static async open(node: string, set: string, memory: Memory, options: RemotePoolOptions = {}): Promise<RemotePool> {
    const opening = openOnTarget(node, set, memory, options)
    return new RemotePool(await logged(logOf(options), `open ${node} ${set}`, opening), options)
  }

  /** rpmem_remove(3). */
  static async remove(node: string, set: string, options: RemotePoolRemoveOptions = {}): Promise<void> {
    await logged(logOf(options), `remove ${node} ${set}`, removeRemotePool(node, set, options))
  }

  /** What the target knows of its copy, and can say of its content. */
  get keeping(): Keeping {
    return this.#keeping
  }

  /** As the headers on the target have them; undefined for a pool without headers. */
  get attributes(): PoolAttributes | undefined {
    return this.#attributes
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
    await this.#wait(() => this.#lanes.persist(offset, length, this.#with(operation)), operation)
  }

  /**
   * Begins a persist, so that several pools work side by side; the range is durable once the result is finished, exactly once.
   * Arguments and errors as persistSync, and with `deep` as deepPersistSync. Source: rpmem_persist(3), rpmem_deep_persist(3).
   */
  start(offset: number, length: number, operation?: RemoteOperation & { readonly deep?: boolean }): Persisting {
    this.#check(offset, length, operation)
    try {
      return new StartedPersist(this.#lanes, this.#lanes.start(offset, length, this.#with(operation)), this.#translate)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** rpmem_flush(3): durable after a drain of the same lane. */
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

  /** rpmem_set_attr(3): durable in the headers of the target when it resolves. Undefined only for a pool without headers. */
  async setAttributes(attributes: PoolAttributes | undefined): Promise<void> {
    this.#checkState()
    checkAttributes(attributes)
    const given = attributes !== undefined && !attributesAreZero(attributes)
    if (given !== this.#hasHeaders) throw contradiction(given)
    await this.#wait(() => this.#session.setAttributes(attributes))
    this.#log.write('info', `set the attributes of ${this.name}: done`)
    this.#attributes = attributes
  }

  /**
   * rpmem_close(3): lets pending calls settle, then ends lanes and session. Idempotent. `remove` takes back a pool that this
   * object created. A lost pool closes without error, also if the loss shows only now: a target that does not answer within
   * 3 s is left to itself. With `remove` that is ERR_TARGET_LOST: the pool may or may not be there still.
   */
  close({ remove = false }: { readonly remove?: boolean } = {}): Promise<void> {
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
    this.#watchdog.stop()
    await this.#lanes.close()
    try {
      if (!this.#lost) await this.#sayGoodbye(remove)
      else if (remove) throw this.#lost
    } finally {
      this.emit('closed')
    }
  }

  async #sayGoodbye(remove: boolean): Promise<void> {
    const cancel = this.#clock.after(goodbyeMs, () => this.#lose(silenceOf(goodbyeMs)), 'holds')
    try {
      await this.#session.close(remove)
    } catch (error) {
      if (!this.#lost) throw error
      if (remove) throw this.#lost
    } finally {
      cancel()
    }
  }

  #check(offset: number, length: number, operation: RemoteOperation | undefined): void {
    this.#checkState(operation)
    this.#bounds.checkWritable(offset, length)
  }

  /** `owing`: the call speaks of ranges that were sent before it. */
  #checkState(operation?: RemoteOperation, owing?: 'owing'): void {
    if (this.#closing) throw new RpmemError('ERR_CLOSED', `${this.name} is closed`, { facts: { pool: this.name } })
    if (this.#lost) throw owing ? this.#lost : lostBefore(this.#lost)
    this.#bounds.checkLane(operation?.lane)
  }

  #with(operation: (RemoteOperation & { readonly deep?: boolean }) | undefined): LaneOperation {
    if (operation === undefined) return this.#defaults
    // Written out, because objects that a spread makes are slow to read, and a flush takes less time than that.
    const { lane = 0, relaxed = false, deep = false, deadlineMs = this.#deadlineMs } = operation
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

  async #ping(): Promise<void> {
    if (this.#session.ping) await this.#session.ping()
    // PMDK's daemon knows no ping; eight bytes of its pool are a sign of life as well.
    else await this.#lanes.read(0, new Uint8Array(8), { deadlineMs: pingIntervalMs * (pingRounds + 1) })
  }

  #lose(cause: Error): void {
    if (this.#lost) return
    this.#watchdog.stop()
    const lost = lossOf(this.name, cause)
    this.#lost = lost
    logFailure(this.#log, this.name, lost)
    this.#session.abandon(lost)
    const ended = this.#lanes.close().catch(() => {})
    // Whoever closes the pool learns it from close, if it matters.
    if (!this.#closing) void ended.then(() => this.emit('lost', lost))
  }
}

function contradiction(given: boolean): RpmemError {
  const rule = given ? 'the pool has no headers for attributes' : 'the headers of the pool need attributes'
  return new RpmemError('ERR_ATTRIBUTES', rule)
}
