import { randomBytes } from 'node:crypto'
import { assert, errno, MiB, RpmemError, unreachable } from '../core/index.js'
import type { LaneOperation, Lanes, LanesToken, Ticket } from './fabric.js'
import { laneStatus, type NativeLanes, rangeFlags } from './fabric-binding.js'
import { fabricError, storageError } from './fabric-failure.js'
import { checkLane, checkRange, type LaneLimits } from './lane-check.js'

const defaultDeadlineMs = 3000
const longestDeadlineMs = 2 ** 31
/** The bytes of a read wait in memory of the addon until they are taken. */
const longestRead = 8 * MiB

/** Tickets of operations without a range; the addon never sees them. */
const nothingToDo = -1

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  /** Of a read: takes its bytes from the addon. */
  readonly arrived: ((ticket: number) => void) | undefined
}

/**
 * Lanes over libfabric. An operation without `lane` goes over the lane of its thread: operations on one lane keep their order,
 * and thanks to group commit one lane carries many small persists at once. The bytes of a flushed range are taken from memory
 * between its flush and its drain, those of a persist between its call and its end.
 */
export class NativeFabricLanes implements Lanes, LaneLimits {
  readonly #results: Int32Array
  readonly #attached: boolean
  readonly #waiting: (Waiting | undefined)[] = []
  #lanes: NativeLanes | undefined
  #count = 0
  #size = 0
  #lane = 0
  #down: Error | undefined
  #listener: ((error: Error) => void) | undefined
  #closing: Promise<void> | undefined

  constructor(results: Int32Array, how: 'connected' | 'attached' = 'connected') {
    this.#results = results
    this.#attached = how === 'attached'
  }

  /** @internal Completes the construction. */
  begin(lanes: NativeLanes): this {
    this.#lanes = lanes
    this.#count = lanes.count
    this.#size = lanes.size
    this.#lane = lanes.lane
    return this
  }

  get count(): number {
    return this.#count
  }

  get size(): number {
    return this.#size
  }

  get lane(): number {
    return this.#lane
  }

  get down(): Error | undefined {
    return this.#down
  }

  /** Does not keep the event loop alive: a program that has nothing else to do ends with its lanes open. */
  onDown(listener: (error: Error) => void): void {
    this.#listener = listener
  }

  persistSync(offset: number, length: number, operation?: LaneOperation): void {
    const lanes = this.#check(offset, length, operation)
    if (length === 0) return
    const outcome = lanes.persistSync(
      this.#laneOf(operation),
      offset,
      length,
      flagsOf(operation),
      deadlineOf(operation),
    )
    if (outcome !== laneStatus.done) throw this.#explain(outcome)
  }

  persist(offset: number, length: number, operation?: LaneOperation): Promise<void> {
    return this.#promise(() => {
      const lanes = this.#check(offset, length, operation)
      if (length === 0) return nothingToDo
      return lanes.persist(this.#laneOf(operation), offset, length, flagsOf(operation), deadlineOf(operation))
    })
  }

  start(offset: number, length: number, operation?: LaneOperation): Ticket {
    const lanes = this.#check(offset, length, operation)
    if (length === 0) return nothingToDo
    const ticket = lanes.start(this.#laneOf(operation), offset, length, flagsOf(operation), deadlineOf(operation))
    if (ticket < 0) throw this.#explain(ticket)
    return ticket
  }

  finishSync(ticket: Ticket): void {
    if (ticket === nothingToDo) return
    const outcome = this.#native.finishSync(ticket)
    assert(outcome !== laneStatus.wrongArgument, 'a ticket is redeemed exactly once')
    if (outcome !== laneStatus.done) throw this.#explain(outcome)
  }

  finish(ticket: Ticket): Promise<void> {
    return this.#promise(() => {
      if (ticket === nothingToDo) return ticket
      const watched = this.#native.watch(ticket)
      assert(watched !== laneStatus.wrongArgument, 'a ticket is redeemed exactly once')
      if (watched !== 0) return ticket
      this.finishSync(ticket)
      return nothingToDo
    })
  }

  flush(offset: number, length: number, operation?: LaneOperation): void {
    const lanes = this.#check(offset, length, operation)
    if (length === 0) return
    const outcome = lanes.flush(this.#laneOf(operation), offset, length, flagsOf(operation))
    if (outcome !== laneStatus.done) throw this.#explain(outcome)
  }

  drainSync(operation?: LaneOperation): void {
    const lanes = this.#check(0, 0, operation)
    const outcome = lanes.drainSync(this.#laneOf(operation), deadlineOf(operation))
    if (outcome !== laneStatus.done) throw this.#explain(outcome)
  }

  drain(operation?: LaneOperation): Promise<void> {
    return this.#promise(() => this.#check(0, 0, operation).drain(this.#laneOf(operation), deadlineOf(operation)))
  }

  readSync(offset: number, into: Uint8Array, operation?: LaneOperation): void {
    const lanes = this.#check(offset, into.length, operation)
    if (into.length === 0) return
    const outcome = lanes.readSync(this.#laneOf(operation), offset, into, deadlineOf(operation))
    if (outcome !== laneStatus.done) throw this.#explain(outcome)
  }

  async read(offset: number, into: Uint8Array, operation?: LaneOperation): Promise<void> {
    assert(into instanceof Uint8Array, 'a read takes a Uint8Array')
    this.#check(offset, into.length, operation)
    const { length } = into
    for (let at = 0; at < length; at += longestRead)
      await this.#readPiece(offset + at, into.subarray(at, at + longestRead), operation)
  }

  #readPiece(offset: number, into: Uint8Array, operation: LaneOperation | undefined): Promise<void> {
    const take = (ticket: number) => {
      this.#native.takeRead(ticket, into)
    }
    const begin = () => {
      const lanes = this.#check(offset, into.length, operation)
      return lanes.read(this.#laneOf(operation), offset, into.length, deadlineOf(operation))
    }
    return this.#promise(begin, take)
  }

  /** Also of lanes that were lost, so that whoever attaches late learns it. */
  share(): LanesToken {
    if (this.#closing !== undefined && this.#down === undefined) throw closedError()
    const token = randomBytes(32).toString('hex')
    this.#native.share(token)
    return token
  }

  lose(reason: Error): void {
    this.#native.lose(reason.message)
  }

  close(): Promise<void> {
    this.#closing ??= this.#attached ? this.#leave() : this.#native.close()
    return this.#closing
  }

  /** The lanes go on, and nobody tells this thread any more how its calls end. */
  async #leave(): Promise<void> {
    await this.#native.close()
    for (const waiting of this.#waiting.splice(0)) waiting?.reject(closedError())
  }

  /** @internal Told by the addon. */
  onEvent(count: number): void {
    if (count < 0) this.#wentDown()
    for (let at = 0; at < count; at++) this.#settle(this.#results[2 * at] ?? 0, this.#results[2 * at + 1] ?? 0)
  }

  get #native(): NativeLanes {
    assert(this.#lanes, 'lanes are used after they are connected')
    return this.#lanes
  }

  #check(offset: number, length: number, operation: LaneOperation | undefined): NativeLanes {
    if (this.#closing !== undefined) throw closedError()
    if (this.#down !== undefined) throw this.#down
    if (operation?.lane !== undefined) checkLane(this, operation.lane)
    checkRange(this, offset, length)
    return this.#native
  }

  #laneOf(operation: LaneOperation | undefined): number {
    return operation?.lane ?? this.#lane
  }

  #promise(begin: () => number, arrived?: (ticket: number) => void): Promise<void> {
    try {
      const ticket = begin()
      if (ticket >= 0) return this.#wait(ticket, arrived)
      return ticket === nothingToDo ? Promise.resolve() : Promise.reject(this.#explain(ticket))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #wait(ticket: number, arrived?: (ticket: number) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting[ticket] = { resolve, reject, arrived }
    })
  }

  #settle(ticket: number, outcome: number): void {
    const waiting = this.#waiting[ticket]
    this.#waiting[ticket] = undefined
    if (outcome === laneStatus.done) {
      waiting?.arrived?.(ticket)
      waiting?.resolve()
    } else {
      waiting?.reject(this.#explain(outcome))
    }
  }

  #wentDown(): void {
    const error = this.#failure()
    const listener = this.#listener
    this.#listener = undefined
    // What a listener throws is an uncaught exception like any other, and not one of the addon.
    if (listener !== undefined) queueMicrotask(() => listener(error))
  }

  /** The reason why the lanes are down: one error for all who ask. */
  #failure(): Error {
    const { address, port } = this.#native
    const where = { address, port: Number(port) }
    this.#down ??= asError(fabricError(this.#native.failure(), 'the lanes are down', where, 'unknown'))
    return this.#down
  }

  #explain(outcome: number): Error {
    if (outcome > 0) return storageError(outcome)
    if (outcome === laneStatus.closed) return closedError()
    if (outcome === laneStatus.down) return this.#failure()
    if (outcome === laneStatus.localMemory) return noMemoryError()
    return unreachable(outcome as never)
  }
}

function flagsOf(operation: LaneOperation | undefined): number {
  if (operation === undefined) return 0
  return (operation.relaxed === true ? rangeFlags.relaxed : 0) | (operation.deep === true ? rangeFlags.deep : 0)
}

function deadlineOf(operation: LaneOperation | undefined): number {
  return Math.min(Math.max(1, Math.ceil(operation?.deadlineMs ?? defaultDeadlineMs)), longestDeadlineMs)
}

function closedError(): RpmemError {
  return new RpmemError('ERR_CLOSED', 'the lanes were closed', { durability: 'unknown' })
}

function noMemoryError(): RpmemError {
  return new RpmemError('ERR_FABRIC', 'there is no memory for the bytes to be read', { facts: { errno: errno.ENOMEM } })
}

const asError = (value: unknown): Error => (value instanceof Error ? value : new Error(String(value)))
