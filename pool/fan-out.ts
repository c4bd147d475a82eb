import { pageSize } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import type { LocalReplica } from './local-replica.js'
import { isFailureOfReplica, PersistError, type ReplicaFailure } from './persist-error.js'
import type { Assembly } from './pool-assembly.js'
import type { Persisting, PersistOptions, Replica } from './replica.js'

/** One operation on all replicas, while it is under way. */
interface Round {
  readonly remotes: (Persisting | undefined)[]
  /** Local work that goes on elsewhere. */
  local: Promise<void>[] | undefined
  failures: ReplicaFailure[] | undefined
  /** The master has what was asked for. */
  master: boolean
  /** Something was handed to a target. */
  begun: boolean
}

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
  readonly #lost = new Map<Replica, unknown>()

  /** `onLost` is called once for each replica that fails. */
  constructor(assembly: Assembly, onLost: (replica: Replica, error: unknown) => void) {
    this.#master = assembly.master
    this.#memory = assembly.master.memory
    this.#quickBytes = quickBytes[assembly.master.method]
    this.#locals = assembly.locals
    this.#remotes = assembly.remotes
    this.#replicas = assembly.replicas
    this.#onLost = onLost
  }

  /** Replicas that have failed, and how. */
  get lost(): ReadonlyMap<Replica, unknown> {
    return this.#lost
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

  /** `stored`: a copying form has made the range durable on the master already. Throws PersistError. */
  persistSync(at: number, length: number, options: PersistOptions, stored = false): void {
    const round = this.#begin(at, length, options, stored)
    for (let index = 0; index < this.#remotes.length; index++) {
      try {
        round.remotes[index]?.finishSync()
      } catch (error) {
        this.#fail(round, this.#remotes[index], error)
      }
    }
    if (round.failures) throw this.#verdict(round)
  }

  async persist(at: number, length: number, options: PersistOptions, stored = false): Promise<void> {
    const round = this.#begin(at, length, options, stored, true)
    const [only] = round.remotes
    if (only && round.remotes.length === 1) {
      // The usual shape; every function less on this way is a tenth of a microsecond.
      try {
        await only.finish()
      } catch (error) {
        this.#fail(round, this.#remotes[0], error)
      }
    } else await Promise.all(this.#remotes.map((_, index) => this.#finish(round, index)))
    if (round.local) await Promise.all(round.local)
    if (round.failures) throw this.#verdict(round)
  }

  flush(at: number, length: number, options: PersistOptions, stored = false): void {
    const round = newRound()
    if (!stored) this.#try(round, this.#master, () => this.#memory.flush(at, length))
    if (round.master) {
      for (const replica of this.#remotes) this.#try(round, replica, () => replica.flush(at, length, options))
      for (const replica of this.#locals) this.#try(round, replica, () => replica.flush(at, length))
    }
    round.master = false
    round.begun = true
    if (round.failures) throw this.#verdict(round)
  }

  drainSync(options: PersistOptions): void {
    const round = newRound()
    round.begun = this.#remotes.length > 0
    for (const replica of this.#replicas) this.#try(round, replica, () => replica.drainSync(options))
    if (round.failures) throw this.#verdict(round)
  }

  async drain(options: PersistOptions): Promise<void> {
    const round = newRound()
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
    if (round.failures) throw this.#verdict(round)
  }

  /** A master that has failed holds zeros where pages were lost: nothing of it may reach the other replicas. */
  #begin(at: number, length: number, options: PersistOptions, stored: boolean, away = false): Round {
    const round = newRound()
    if (this.#isLost(round, this.#master)) return round
    const owing = !stored || options.deep === true
    const quick = length <= this.#quickBytes
    if (owing && quick) this.#persistMaster(round, at, length, options)
    else if (this.#memory.failure) this.#fail(round, this.#master, this.#memory.failure)
    if (!round.master) return round
    for (const replica of this.#remotes) round.remotes.push(this.#start(round, replica, at, length, options))
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
      return persisting
    } catch (error) {
      this.#fail(round, replica, error)
      return undefined
    }
  }

  async #finish(round: Round, index: number): Promise<void> {
    try {
      await round.remotes[index]?.finish()
    } catch (error) {
      this.#fail(round, this.#remotes[index], error)
    }
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
    round.failures.push({ replica: replica.name, error })
    if (isFailureOfReplica(error)) this.lose(replica, error)
  }

  #verdict(round: Round): unknown {
    const failures = round.failures ?? []
    // A mistake of the caller meets every replica; told once, it is clearer than as a failure to persist.
    if (failures.every(({ error }) => !isFailureOfReplica(error))) return failures[0]?.error
    const order = this.#replicas.map(({ name }) => name)
    failures.sort((left, right) => order.indexOf(left.replica) - order.indexOf(right.replica))
    const elsewhere = round.begun ? 'unknown' : 'none'
    return new PersistError(failures, round.master ? 'local' : elsewhere)
  }
}

/** One page of cache lines is flushed in less than a microsecond; without flushes length does not matter. */
const quickBytes = { volatile: Number.POSITIVE_INFINITY, dax: pageSize, msync: -1 }

const newRound = (): Round => ({ remotes: [], local: undefined, failures: undefined, master: true, begun: false })
