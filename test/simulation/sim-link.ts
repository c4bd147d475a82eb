import { type ReplicaRecord, RpmemError } from '../../core/index.js'
import type { Memory } from '../../fabric-native/index.js'
import type { Keeping, Persisting, PersistOptions, RemoteReplica } from '../../pool/index.js'
import type { SimTarget } from './sim-target.js'

const deadlineMs = 3000
/** As the watchdog notices it. */
const noticeMs = 2500
/** As the daemon notices it. */
const silenceMs = 60_000

/** One session of an initiator with a target: lanes, control channel, and how each end learns that the other is gone. */
export class SimLink implements RemoteReplica {
  readonly kind = 'remote'
  readonly method = 'msync'
  readonly attributes = undefined
  failure: Error | undefined
  record: ReplicaRecord | undefined
  /** The target has admitted it. */
  opened = false
  readonly #target: SimTarget
  readonly #memory: Memory
  readonly #lives: () => boolean
  readonly #pending = new Set<(error: Error) => void>()
  readonly #flushed = new Map<number, { offset: number; length: number }[]>()
  /** When the last message of each lane arrives: lanes keep their order, and only that. */
  readonly #lanes = new Map<string, number>()
  readonly #held = new Map<string, (() => void)[]>()
  #lost: (error: Error) => void = () => {}

  constructor(target: SimTarget, memory: Memory, lives: () => boolean) {
    this.#target = target
    this.#memory = memory
    this.#lives = lives
    this.#watch()
  }

  get name(): string {
    return this.#target.name
  }

  get keeping(): Keeping {
    return {
      record: this.record,
      adopt: record => this.ask(() => this.#target.record.write(record), deadlineMs),
      read: (offset, into) => this.ask(() => this.#target.memory.read(offset, into), deadlineMs),
      sums: (offset, length, blockSize) => this.ask(() => this.#target.sums(offset, length, blockSize), deadlineMs),
    }
  }

  onLost(listener: (error: Error) => void): void {
    this.#lost = listener
  }

  start(offset: number, length: number, { lane = 0 }: PersistOptions): Persisting {
    const bytes = new Uint8Array(length)
    this.#memory.read(offset, bytes)
    return this.#call(`lane ${lane}`, () => this.#target.persist(offset, bytes))
  }

  flush(offset: number, length: number, { lane = 0 }: PersistOptions): void {
    if (this.failure) throw this.failure
    const flushed = this.#flushed.get(lane) ?? []
    flushed.push({ offset, length })
    this.#flushed.set(lane, flushed)
  }

  drainSync(options: PersistOptions): void {
    this.#drain(options).finishSync()
  }

  async drain(options: PersistOptions): Promise<void> {
    await this.#drain(options).finish()
  }

  /** A request on the control channel. */
  async ask<T>(work: () => T, limitMs: number): Promise<T> {
    let answer: T | undefined
    await this.#call(
      'control',
      () => {
        answer = work()
      },
      limitMs,
    ).finish()
    return answer as T
  }

  share(): never {
    throw new Error('the simulation has one thread')
  }

  async close(): Promise<void> {
    this.#fail(new RpmemError('ERR_CLOSED', 'the link was closed'))
    this.#leave()
  }

  /** The other end has died: the connection is reset, if the news can travel. */
  broken(): void {
    const { clock, dice, wire } = this.#target
    const tell = () => {
      if (!wire.toInitiator || clock.asleep) clock.at(500, 'world', tell)
      else this.#lose(new RpmemError('ERR_TARGET_LOST', 'the connection was reset'))
    }
    clock.at(dice.between(0, 5), 'world', tell)
  }

  #drain({ lane = 0 }: PersistOptions): Persisting {
    const ranges = (this.#flushed.get(lane) ?? []).map(({ offset, length }) => {
      const bytes = new Uint8Array(length)
      this.#memory.read(offset, bytes)
      return { offset, bytes }
    })
    this.#flushed.delete(lane)
    return this.#call(`lane ${lane}`, () => {
      for (const { offset, bytes } of ranges) this.#target.persist(offset, bytes)
    })
  }

  /** There, done, and back; the answer may be a failure. */
  #call(lane: string, work: () => void, limitMs = deadlineMs): Persisting {
    if (this.failure) throw this.failure
    if (!this.#lives()) throw new RpmemError('ERR_CLOSED', 'this process has died')
    const { clock } = this.#target
    let outcome: { error?: unknown } | undefined
    let settle: () => void = () => {}
    const end = (ended: { error?: unknown }) => {
      if (outcome) return
      outcome = ended
      this.#pending.delete(fail)
      settle()
    }
    const fail = (error: Error) => end({ error })
    this.#pending.add(fail)
    clock.at(limitMs, 'world', () => {
      if (outcome) return
      this.#lose(new RpmemError('ERR_DEADLINE', 'the target did not answer in time'))
    })
    this.#travel('toTarget', lane, () =>
      this.#target.act(this, () => {
        const answer = attempt(work)
        if (answer.error && lane !== 'control') this.#target.kill()
        else this.#travel('toInitiator', lane, () => end(answer))
      }),
    )
    return {
      finishSync: () => {
        // The thread is blocked: nothing of this process happens meanwhile.
        while (!outcome) if (!clock.step(Number.POSITIVE_INFINITY, 'world')) throw new Error('nothing will ever answer')
        if (outcome.error) throw outcome.error
      },
      finish: async () => {
        if (!outcome) await new Promise<void>(resolve => (settle = resolve))
        if (outcome?.error) throw outcome.error
      },
    }
  }

  #travel(way: 'toTarget' | 'toInitiator', lane: string, arrive: () => void): void {
    const { clock, dice, wire } = this.#target
    const key = `${way} ${lane}`
    const atMs = Math.max(clock.nowMs + dice.between(0.01, 1) + wire.slowMs, (this.#lanes.get(key) ?? 0) + 0.001)
    this.#lanes.set(key, atMs)
    clock.at(atMs - clock.nowMs, 'world', () => {
      this.#held.set(key, [...(this.#held.get(key) ?? []), arrive])
      if (this.#held.get(key)?.length === 1) this.#deliver(way, key)
    })
  }

  /** What a cut wire holds up arrives later, in its order. */
  #deliver(way: 'toTarget' | 'toInitiator', key: string): void {
    const { clock, wire } = this.#target
    if (!wire[way] || (way === 'toInitiator' && clock.asleep)) {
      clock.at(250, 'world', () => this.#deliver(way, key))
      return
    }
    const arrived = this.#held.get(key) ?? []
    this.#held.delete(key)
    if (this.failure && way === 'toInitiator') return
    for (const arrive of arrived) arrive()
  }

  /** Either end notices in its time that nothing comes from the other. */
  #watch(): void {
    const { clock, wire } = this.#target
    let [silentMs, sleptMs] = [0, 0]
    const stepMs = noticeMs / 2
    const look = () => {
      if (this.failure) return
      if (!this.#lives()) return this.#leave()
      sleptMs = clock.asleep ? sleptMs + stepMs : 0
      // The daemon gives up on an initiator that says nothing; one that sleeps notices nothing.
      if (sleptMs > silenceMs) this.#target.abandon(this)
      if (clock.asleep) return void clock.at(stepMs, 'world', look)
      silentMs = wire.toTarget && wire.toInitiator && !this.#target.paused ? 0 : silentMs + stepMs
      if (silentMs >= noticeMs) this.#lose(new RpmemError('ERR_TARGET_LOST', 'the target has been silent'))
      else clock.at(stepMs, 'world', look)
    }
    clock.at(stepMs, 'world', look)
  }

  #lose(error: Error): void {
    if (this.failure) return
    this.#fail(error)
    this.#leave()
    if (this.#lives()) this.#target.clock.at(0, 'initiator', () => this.#lives() && this.#lost(error))
  }

  #fail(error: Error): void {
    if (this.failure) return
    this.failure = error
    for (const fail of [...this.#pending]) fail(error)
  }

  /** The daemon ends when it hears of it, or after a long silence. */
  #leave(): void {
    const { clock, wire } = this.#target
    const startMs = clock.nowMs
    const hear = () => {
      if ((wire.toTarget && !this.#target.paused) || clock.nowMs - startMs > silenceMs) this.#target.release(this)
      else clock.at(500, 'world', hear)
    }
    clock.at(1, 'world', hear)
  }
}

function attempt(work: () => void): { error?: unknown } {
  try {
    work()
    return {}
  } catch (error) {
    return { error }
  }
}
