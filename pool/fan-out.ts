import { type Clock, pageSize, RpmemError, systemClock } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { LatencyHistogram } from './latency.js'
import type { LocalReplica } from './local-replica.js'
import { isFailureOfReplica, PersistError, type ReplicaFailure } from './persist-error.js'
import { type Level, levelOf, type Policy, reaches, type Terms, termsOf } from './policy.js'
import type { Assembly } from './pool-assembly.js'
import { isOutOfStep, RecordedReplica } from './recorded-replica.js'
import type { Persisting, PersistOptions, Replica } from './replica.js'

export interface FanOutOptions extends PersistOptions {
  /** Instead of the policy of the pool. */
  readonly policy?: Policy
}

/** One operation on all replicas, while it is under way. */
interface Round {
  readonly at: number
  readonly length: number
  /** When it began; only where something is measured. */
  startMs: number
  /** The lane of a drain, which speaks of ranges that were flushed before it. */
  readonly drained: number | undefined
  readonly remotes: (Persisting | undefined)[]
  /** Local work that goes on elsewhere. */
  local: Promise<void>[] | undefined
  failures: (ReplicaFailure & { readonly kept: boolean })[] | undefined
  /** The master has what was asked for. */
  master: boolean
  /** Something was handed to a target. */
  begun: boolean
  /** Kept replicas that are being brought up to date: they get what is persisted, and count for nothing yet. */
  uncounted: number
  /** By bit: remote replicas that are away, so that what they miss was recorded and nothing sent. */
  away: number
  /** What a replica misses could not be recorded: the operation must not succeed. */
  unrecorded: boolean
}

/** What an operation reached: undefined if every replica holds it, else the level of each in the order of the pool set. */
export type Reached = readonly Level[] | undefined

/**
 * Spreads operations over the replicas of a pool: every target is given its work before any answer is awaited, and long local
 * work is done meanwhile, so that the cost is that of the slowest and not the sum. A replica that has failed once is never
 * asked again; every later operation names it as failed.
 */
export class FanOut {
  readonly #master: LocalReplica
  readonly #memory: Memory
  /** Up to here the master is persisted first: it costs less than to ask whether it is sound. More is done meanwhile. */
  readonly #quickBytes: number
  readonly #locals: readonly LocalReplica[]
  readonly #remotes: readonly Replica[]
  readonly #replicas: readonly Replica[]
  readonly #onLost: (replica: Replica, error: unknown) => void
  readonly #terms: Terms
  readonly #clock: Clock
  readonly #lost = new Map<Replica, unknown>()
  /** Of persists, by remote replica, in their order. */
  readonly #latencies: readonly LatencyHistogram[]
  /** Of the remote replicas, those that may be away. */
  readonly #recorded: readonly (RecordedReplica | undefined)[]
  #goAlone: (() => void) | undefined
  /** What the replicas in step reach, until one of them steps. */
  #levels: { readonly inStep: number; readonly deep: boolean; readonly levels: Level[] } | undefined
  /** Called when a kept replica has come into step. */
  readonly #waiting = new Set<() => void>()

  /** `onLost` is called once for each replica that fails for good. */
  constructor(assembly: Assembly, onLost: (replica: Replica, error: unknown) => void) {
    this.#terms = termsOf(assembly.policy ?? {}, assembly.replicas.length)
    this.#clock = assembly.clock ?? systemClock
    this.#master = assembly.master
    this.#memory = assembly.master.memory
    this.#quickBytes = quickBytes[assembly.master.method]
    this.#locals = assembly.locals
    this.#remotes = assembly.remotes
    this.#replicas = assembly.replicas
    this.#latencies = this.#remotes.map(() => new LatencyHistogram())
    this.#onLost = onLost
    this.#goAlone = assembly.goAlone
    this.#recorded = this.#remotes.map(replica => (replica instanceof RecordedReplica ? replica : undefined))
  }

  /** Replicas that have failed, and how. */
  get lost(): ReadonlyMap<Replica, unknown> {
    return this.#lost
  }

  /** How long persists took until a remote replica had answered, by its name. What failed is not among them. */
  get latencies(): ReadonlyMap<string, LatencyHistogram> {
    return new Map(this.#remotes.map(({ name }, index) => [name, this.#latencies[index] as LatencyHistogram]))
  }

  /** For news that come on their own, such as a target that died while nothing was under way. */
  lose(replica: Replica, error: unknown): void {
    if (this.#lost.has(replica)) return
    this.#lost.set(replica, error)
    this.#onLost(replica, error)
  }

  /** The master could not even be written to: nothing was begun anywhere. */
  refused(error: unknown): unknown {
    const round = newRound()
    this.#fail(round, this.#master, error)
    return this.#verdict(round)
  }

  /** To be called before bytes of the master change. What cannot be noted throws, and nothing is changed. */
  announce(): void {
    if (this.#goAlone === undefined) return
    this.#goAlone()
    this.#goAlone = undefined
  }

  /** `stored`: a copying form has made the range durable on the master already. Throws PersistError. */
  persistSync(at: number, length: number, options: FanOutOptions, stored = false): Reached {
    const round = this.#begin(at, length, options, stored)
    for (let index = 0; index < this.#remotes.length; index++) {
      try {
        round.remotes[index]?.finishSync()
        this.#measure(round, index)
      } catch (error) {
        this.#fail(round, this.#remotes[index], error)
      }
    }
    return this.#isPlain(round, options) ? undefined : this.#judge(round, options)
  }

  async persist(at: number, length: number, options: FanOutOptions, stored = false): Promise<Reached> {
    const round = this.#begin(at, length, options, stored, true)
    const [only] = round.remotes
    if (only && round.remotes.length === 1) {
      // The usual shape; every function less on this way is a tenth of a microsecond.
      try {
        await only.finish()
        this.#measure(round, 0)
      } catch (error) {
        this.#fail(round, this.#remotes[0], error)
      }
    } else await Promise.all(this.#remotes.map((_, index) => this.#finish(round, index)))
    if (round.local) await Promise.all(round.local)
    return this.#isPlain(round, options) ? undefined : this.#judgeLater(round, options)
  }

  flush(at: number, length: number, options: FanOutOptions, stored = false): void {
    this.announce()
    const round = newRound(at, length)
    if (!stored) this.#try(round, this.#master, () => this.#memory.flush(at, length))
    if (round.master) {
      for (const replica of this.#remotes) this.#try(round, replica, () => replica.flush(at, length, options))
      for (const replica of this.#locals) this.#try(round, replica, () => replica.flush(at, length))
    }
    round.begun = true
    // Whether enough replicas have it is the question of the drain.
    if (round.failures?.every(({ kept }) => kept) && round.master && !round.unrecorded) return
    round.master = false
    if (round.failures) throw this.#verdict(round)
  }

  drainSync(options: FanOutOptions): Reached {
    const round = newRound(0, 0, options.lane ?? 0)
    round.uncounted = this.#outOfStep().length
    round.begun = this.#remotes.length > 0
    for (const replica of this.#replicas) this.#try(round, replica, () => replica.drainSync(options))
    return this.#isPlain(round, options) ? undefined : this.#judge(round, options)
  }

  async drain(options: FanOutOptions): Promise<Reached> {
    const round = newRound(0, 0, options.lane ?? 0)
    round.uncounted = this.#outOfStep().length
    round.begun = this.#remotes.length > 0
    await Promise.all(
      this.#replicas.map(async replica => {
        if (this.#isLost(round, replica)) return
        try {
          await replica.drain(options)
        } catch (error) {
          this.#fail(round, replica, error)
        }
      }),
    )
    return this.#isPlain(round, options) ? undefined : this.#judgeLater(round, options)
  }

  /** A kept replica has come into step, or fallen out of it. */
  stepped(): void {
    this.#levels = undefined
    for (const listener of [...this.#waiting]) listener()
  }

  /** Every replica holds it, and nobody asked how well. */
  #isPlain({ failures, uncounted }: Round, { policy }: FanOutOptions): boolean {
    return failures === undefined && uncounted === 0 && policy === undefined && this.#terms.level === 'received'
  }

  /** Not every replica holds it: are those that do enough? */
  #judge(round: Round, options: FanOutOptions): Reached {
    const levels = round.failures ? this.#levelsAfter(round.failures, options) : this.#levelsNow(options.deep === true)
    const terms = this.#termsFor(options)
    let holding = 0
    for (const level of levels) if (reaches(level, terms.level)) holding++
    const enough = holding >= terms.minDurable
    if (round.master && !round.unrecorded && enough && round.failures?.every(({ kept }) => kept) !== false)
      return levels
    throw this.#verdict(round)
  }

  /** The same for those who can wait for replicas to come back. */
  async #judgeLater(round: Round, options: FanOutOptions): Promise<Reached> {
    const { suspendMs, minDurable } = this.#termsFor(options)
    try {
      return this.#judge(round, options)
    } catch (error) {
      const hopeless = !round.master || round.unrecorded || round.failures?.some(({ kept }) => !kept)
      if (hopeless || !(await this.#inStepWithin(minDurable, suspendMs))) throw error
    }
    // Whoever is in step now got the range on the way there.
    return this.#replicas.map(replica =>
      isOutOfStep(replica) ? 'none' : levelOf(replica.method, options.deep === true),
    )
  }

  #inStepWithin(count: number, waitMs: number): Promise<boolean> {
    const met = () => this.#replicas.filter(replica => !isOutOfStep(replica)).length >= count
    if (met() || waitMs === 0) return Promise.resolve(met() && waitMs > 0)
    return new Promise(resolve => {
      const settle = (outcome: boolean) => {
        cancel()
        this.#waiting.delete(listener)
        resolve(outcome)
      }
      const listener = () => met() && settle(true)
      const cancel = this.#clock.after(waitMs, () => settle(false), 'holds')
      this.#waiting.add(listener)
    })
  }

  #levelsAfter(failures: readonly ReplicaFailure[], options: FanOutOptions): Level[] {
    return this.#replicas.map(replica => {
      const failed = failures.some(failure => failure.replica === replica.name)
      return failed || isOutOfStep(replica) ? 'none' : levelOf(replica.method, options.deep === true)
    })
  }

  /** A degraded pool asks this for every persist. */
  #levelsNow(deep: boolean): Level[] {
    let inStep = 0
    for (let index = 0; index < this.#recorded.length; index++) {
      if (this.#recorded[index]?.inStep !== false) inStep |= 1 << index
    }
    if (this.#levels?.inStep === inStep && this.#levels.deep === deep) return this.#levels.levels
    const levels = this.#levelsAfter([], { deep })
    if (this.#recorded.length < bits) this.#levels = { inStep, deep, levels }
    return levels
  }

  #outOfStep(): string[] {
    return this.#remotes.filter(isOutOfStep).map(({ name }) => name)
  }

  #termsFor({ policy }: FanOutOptions): Terms {
    return policy === undefined ? this.#terms : termsOf(policy, this.#replicas.length)
  }

  /** A master that has failed holds zeros where pages were lost: nothing of it may reach the other replicas. */
  #begin(at: number, length: number, options: PersistOptions, stored: boolean, away = false): Round {
    this.announce()
    const round = newRound(at, length)
    if (this.#isLost(round, this.#master)) return round
    const owing = !stored || options.deep === true
    const quick = length <= this.#quickBytes
    if (owing && quick) this.#persistMaster(round, at, length, options)
    else if (this.#memory.failure) this.#fail(round, this.#master, this.#memory.failure)
    if (!round.master) return round
    let startMs = 0
    for (let index = 0; index < this.#remotes.length; index++) {
      const recorded = this.#recorded[index]
      if (recorded && index < bits && !recorded.receives) this.#skip(round, recorded, index)
      else {
        startMs ||= this.#clock.nowMs()
        round.remotes[index] = this.#start(round, this.#remotes[index] as Replica, at, length, options)
      }
    }
    round.startMs = startMs
    if (owing && !quick) {
      if (away) this.#startAway(round, this.#master, at, length, options)
      else this.#persistMaster(round, at, length, options)
    }
    for (const replica of this.#locals) {
      if (away) this.#startAway(round, replica, at, length, options)
      else this.#start(round, replica, at, length, options)
    }
    return round
  }

  /** To ask a replica that is away and to catch its refusal would cost more than the persist. */
  #skip(round: Round, replica: RecordedReplica, index: number): void {
    round.uncounted++
    round.away |= 1 << index
    this.#missed(round, replica)
  }

  #persistMaster(round: Round, at: number, length: number, options: PersistOptions): void {
    try {
      if (options.deep) this.#memory.deepPersist(at, length)
      else this.#memory.persist(at, length)
    } catch (error) {
      this.#fail(round, this.#master, error)
    }
  }

  #startAway(round: Round, replica: LocalReplica, at: number, length: number, options: PersistOptions): void {
    if (this.#isLost(round, replica)) return
    try {
      const working = replica.startAway(at, length, options)
      if (!working) return
      round.local ??= []
      round.local.push(working.catch(error => this.#fail(round, replica, error)))
    } catch (error) {
      this.#fail(round, replica, error)
    }
  }

  #start(round: Round, replica: Replica, at: number, length: number, options: PersistOptions): Persisting | undefined {
    if (this.#isLost(round, replica)) return undefined
    try {
      const persisting = replica.start(at, length, options)
      if (replica.kind === 'remote') round.begun = true
      if (isOutOfStep(replica)) round.uncounted++
      return persisting
    } catch (error) {
      this.#fail(round, replica, error)
      return undefined
    }
  }

  async #finish(round: Round, index: number): Promise<void> {
    try {
      await round.remotes[index]?.finish()
      this.#measure(round, index)
    } catch (error) {
      this.#fail(round, this.#remotes[index], error)
    }
  }

  #measure({ startMs, remotes }: Round, index: number): void {
    if (remotes[index]) this.#latencies[index]?.record(this.#clock.nowMs() - startMs)
  }

  #try(round: Round, replica: Replica, work: () => void): void {
    if (this.#isLost(round, replica)) return
    try {
      work()
    } catch (error) {
      this.#fail(round, replica, error)
    }
  }

  #isLost(round: Round, replica: Replica): boolean {
    if (this.#lost.size === 0 || !this.#lost.has(replica)) return false
    this.#fail(round, replica, this.#lost.get(replica))
    return true
  }

  #fail(round: Round, replica: Replica | undefined, error: unknown): void {
    if (!replica) return
    if (replica === this.#master) round.master = false
    round.failures ??= []
    const kept = replica instanceof RecordedReplica && replica.misses(error)
    round.failures.push({ replica: replica.name, error, kept })
    if (kept) this.#missed(round, replica)
    else if (isFailureOfReplica(error)) this.lose(replica, error)
  }

  #missed(round: Round, replica: RecordedReplica): void {
    try {
      if (round.drained === undefined) replica.miss(round.at, round.length)
      else replica.missFlushed(round.drained)
    } catch (error) {
      round.unrecorded = true
      round.failures ??= []
      round.failures.push({ replica: `what ${replica.name} misses`, error, kept: false })
    }
  }

  #verdict(round: Round): unknown {
    const failures = round.failures ?? []
    for (const [index, replica] of this.#remotes.entries()) {
      if (index >= bits || !(round.away & (1 << index))) continue
      failures.push({ replica: replica.name, error: replica.failure ?? notConnected(replica.name), kept: true })
    }
    if (failures.length === 0) return tooFew(this.#outOfStep())
    // A mistake of the caller meets every replica; told once, it is clearer than as a failure to persist.
    if (failures.every(({ error, kept }) => !kept && !isFailureOfReplica(error))) return failures[0]?.error
    const order = this.#replicas.map(({ name }) => name)
    failures.sort((left, right) => order.indexOf(left.replica) - order.indexOf(right.replica))
    const elsewhere = round.begun ? 'unknown' : 'none'
    return new PersistError(failures, round.master ? 'local' : elsewhere)
  }
}

/** One page of cache lines is flushed in less than a microsecond; without flushes length does not matter. */
const quickBytes = { volatile: Number.POSITIVE_INFINITY, dax: pageSize, msync: -1 }

const newRound = (at = 0, length = 0, drained?: number): Round => ({
  at,
  length,
  startMs: 0,
  drained,
  remotes: [],
  local: undefined,
  failures: undefined,
  master: true,
  begun: false,
  uncounted: 0,
  away: 0,
  unrecorded: false,
})

/** Of a number that can be shifted without care. */
const bits = 31

const notConnected = (name: string): RpmemError =>
  new RpmemError('ERR_TARGET_LOST', `${name} is not connected`, { durability: 'none' })

const tooFew = (replicas: string[]): RpmemError =>
  new RpmemError('ERR_PERSIST', `not enough replicas are in step; out of step: ${replicas.join(', ')}`, {
    facts: { replicas },
    durability: 'local',
  })
