import { assert, RpmemError } from '../core/index.js'
import type { ConnectOptions, LaneOperation, Lanes, LanesToken, Ticket } from './fabric.js'
import { checkLane, checkRange } from './lane-check.js'
import type { MemoryNetwork } from './memory-network.js'
import type { Delivery, MemoryService } from './memory-service.js'

const defaultDeadlineMs = 3000

interface Pending {
  readonly delivery: Delivery | undefined
  readonly settled: Promise<void>
  readonly settle: (error?: Error) => void
  outcome: Error | 'done' | undefined
}

/** The initiator's side of the in-memory fabric: the semantics of lanes without a cable. */
export class MemoryLanes implements Lanes {
  readonly count: number
  readonly size: number
  readonly lane = 0
  down: Error | undefined
  readonly #network: MemoryNetwork
  readonly #service: MemoryService
  readonly #options: ConnectOptions
  readonly #queued: { offset: number; length: number }[][]
  readonly #tickets = new Map<Ticket, Pending>()
  readonly #unsettled = new Set<Pending>()
  #listener: (error: Error) => void = () => {}
  #nextTicket = 1
  #closed = false

  constructor(network: MemoryNetwork, service: MemoryService, options: ConnectOptions) {
    this.#network = network
    this.#service = service
    this.#options = options
    this.count = options.lanes
    this.size = options.size
    this.#queued = Array.from({ length: options.lanes }, () => [])
    service.accept(this, options.tokens)
  }

  onDown(listener: (error: Error) => void): void {
    this.#listener = listener
  }

  persistSync(offset: number, length: number, operation: LaneOperation = {}): void {
    this.#check(offset, length, operation)
    if (length > 0) this.#deliverSync([this.#delivery(offset, length, operation)])
  }

  async persist(offset: number, length: number, operation: LaneOperation = {}): Promise<void> {
    await this.finish(this.start(offset, length, operation))
  }

  start(offset: number, length: number, operation: LaneOperation = {}): Ticket {
    this.#check(offset, length, operation)
    return this.#send(length > 0 ? this.#delivery(offset, length, operation) : undefined, operation)
  }

  finishSync(ticket: Ticket): void {
    const pending = this.#redeem(ticket)
    if (pending.outcome === undefined) {
      if (this.#service.stopped) pending.settle(this.#fail(deadlineError()))
      else this.#arrive(pending)
    }
    pending.settled.catch(() => {})
    if (pending.outcome instanceof Error) throw pending.outcome
  }

  async finish(ticket: Ticket): Promise<void> {
    await this.#redeem(ticket).settled
  }

  flush(offset: number, length: number, operation: LaneOperation = {}): void {
    this.#check(offset, length, operation)
    if (length > 0) this.#queued[operation.lane ?? 0]?.push({ offset, length })
  }

  drainSync(operation: LaneOperation = {}): void {
    this.#check(0, 0, operation)
    this.#deliverSync(this.#takeQueued(operation))
  }

  async drain(operation: LaneOperation = {}): Promise<void> {
    this.#check(0, 0, operation)
    const deliveries = this.#takeQueued(operation)
    await Promise.all(deliveries.map(delivery => this.finish(this.#send(delivery, operation))))
  }

  readSync(offset: number, into: Uint8Array, operation: LaneOperation = {}): void {
    this.#check(offset, into.length, operation)
    if (this.#service.stopped) throw this.#fail(deadlineError())
    this.#service.read(offset, into)
  }

  async read(offset: number, into: Uint8Array, operation: LaneOperation = {}): Promise<void> {
    this.#check(offset, into.length, operation)
    await this.finish(this.#send(undefined, operation))
    this.#service.read(offset, into)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#service.leave(this)
    this.#settleAll(new RpmemError('ERR_CLOSED', 'the lanes were closed', { durability: 'unknown' }))
  }

  share(): LanesToken {
    throw new RpmemError('ERR_ARGUMENT', 'the lanes of the in-memory fabric cannot leave their thread')
  }

  /** The connection is gone: what is pending fails now, what comes later fails at once. */
  lose(reason: Error): void {
    if (this.#closed || this.down) return
    this.#fail(new RpmemError('ERR_TARGET_LOST', `the target was lost: ${reason.message}`, { durability: 'unknown' }))
  }

  #fail(error: RpmemError): RpmemError {
    this.down ??= error
    this.#service.leave(this)
    this.#settleAll(error)
    this.#listener(error)
    return error
  }

  #check(offset: number, length: number, operation: LaneOperation): void {
    if (this.#closed) throw new RpmemError('ERR_CLOSED', 'the lanes are closed')
    if (this.down) throw this.down
    checkLane(this, operation.lane ?? 0)
    checkRange(this, offset, length)
  }

  #delivery(offset: number, length: number, operation: LaneOperation): Delivery {
    const data = new Uint8Array(length)
    this.#options.memory.read(offset, data)
    return { offset, data, deep: operation.deep ?? false }
  }

  #takeQueued(operation: LaneOperation): Delivery[] {
    const ranges = this.#queued[operation.lane ?? 0]?.splice(0) ?? []
    return ranges.map(range => this.#delivery(range.offset, range.length, operation))
  }

  #deliverSync(deliveries: readonly Delivery[]): void {
    if (this.#service.stopped && deliveries.length > 0) throw this.#fail(deadlineError())
    for (const pending of this.#unsettled) this.#arrive(pending)
    for (const delivery of deliveries) this.#service.deliver(delivery)
  }

  #send(delivery: Delivery | undefined, operation: LaneOperation): Ticket {
    const pending = newPending(delivery)
    const ticket = this.#nextTicket++
    this.#tickets.set(ticket, pending)
    this.#unsettled.add(pending)
    const { clock, delayMs } = this.#network
    const cancelDeadline = clock.after(
      operation.deadlineMs ?? defaultDeadlineMs,
      () => {
        if (pending.outcome === undefined) this.#fail(deadlineError())
      },
      'holds',
    )
    clock.after(
      delayMs * 2,
      () => {
        if (pending.outcome === undefined && !this.#service.stopped) this.#arrive(pending)
      },
      'holds',
    )
    void pending.settled
      .catch(() => {})
      .then(() => {
        this.#unsettled.delete(pending)
        cancelDeadline()
      })
    return ticket
  }

  #arrive(pending: Pending): void {
    this.#unsettled.delete(pending)
    try {
      if (pending.delivery) this.#service.deliver(pending.delivery)
      pending.settle()
    } catch (error) {
      pending.settle(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #redeem(ticket: Ticket): Pending {
    const pending = this.#tickets.get(ticket)
    assert(pending, 'a ticket is redeemed exactly once')
    this.#tickets.delete(ticket)
    return pending
  }

  #settleAll(error: Error): void {
    for (const pending of this.#unsettled) pending.settle(error)
    this.#unsettled.clear()
  }
}

function newPending(delivery: Delivery | undefined): Pending {
  let resolve = () => {}
  let reject = (_: Error) => {}
  const settled = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  const pending: Pending = {
    delivery,
    settled,
    outcome: undefined,
    settle(error) {
      if (pending.outcome !== undefined) return
      pending.outcome = error ?? 'done'
      if (error) reject(error)
      else resolve()
    },
  }
  return pending
}

function deadlineError(): RpmemError {
  return new RpmemError('ERR_DEADLINE', 'the target did not answer in time', { durability: 'unknown' })
}
