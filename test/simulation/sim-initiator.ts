import { silentLog } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import { type Policy, Pool } from '../../pool/index.js'
import { LocalReplica } from '../../pool/local-replica.js'
import { ReplicaKeeper } from '../../pool/replica-keeper.js'
import type { NotedMap, ReplicaNotes } from '../../pool/replica-notes.js'
import type { Dice } from './dice.js'
import type { SimClock } from './sim-clock.js'
import { afterPowerFailure, afterProcess, SimRecord } from './sim-storage.js'
import type { SimTarget } from './sim-target.js'

/** The disk of the initiator's machine. */
class SimDisk implements ReplicaNotes {
  master: BufferMemory
  record = new SimRecord()
  readonly maps = new Map<string, BufferMemory>()

  constructor(size: number) {
    this.master = new BufferMemory(size, { method: 'msync' })
  }

  async map(replica: string, size: number): Promise<NotedMap> {
    const known = this.maps.get(replica)
    const memory = known ?? new BufferMemory(size, { method: 'msync' })
    this.maps.set(replica, memory)
    return { memory, created: known === undefined, close: async () => {} }
  }

  async remove(): Promise<void> {
    this.record.remove()
    this.maps.clear()
  }

  turnFull(): void {
    this.record.full = !this.record.full
  }

  /** What the next process finds. */
  restart(survivors: (memory: BufferMemory) => BufferMemory): void {
    this.master = survivors(this.master)
    this.record = this.record.again()
    for (const [replica, memory] of this.maps) this.maps.set(replica, survivors(memory))
  }
}

/** The machine of the program: its disk, and one process after another that has the pool open. */
export class SimInitiator {
  readonly disk: SimDisk
  readonly #clock: SimClock
  readonly #dice: Dice
  readonly #targets: readonly SimTarget[]
  readonly #policy: Policy
  #process: { pool: Pool; lives: boolean } | undefined
  #created = false

  constructor(size: number, targets: readonly SimTarget[], policy: Policy, clock: SimClock, dice: Dice) {
    this.disk = new SimDisk(size)
    this.#targets = targets
    this.#policy = policy
    this.#clock = clock
    this.#dice = dice
  }

  get pool(): Pool | undefined {
    return this.#process?.pool
  }

  /** Opens the pool, or creates it the first time; the replicas connect in their own time. */
  async start(): Promise<Pool> {
    const memory = this.disk.master
    const alive = { lives: true }
    const lives = () => alive.lives
    const clock = this.#clock.portOf('initiator', lives)
    const options = { notes: this.disk, memory, base: 0, size: memory.size, clock, random: this.#dice, log: silentLog }
    const keeper = this.#created ? ReplicaKeeper.open(options) : ReplicaKeeper.create(options)
    const master = new LocalReplica('master', memory, { close: async () => {} })
    const kept = []
    for (const target of this.#targets) {
      const request = { node: target.name, set: 'x', memory, size: memory.size }
      const connect = (claim: Parameters<Parameters<ReplicaKeeper['keep']>[2]>[0], signal: AbortSignal) =>
        target.connect({ ...request, claim, signal }, lives)
      kept.push(await keeper.keep(target.name, 'old', connect))
    }
    this.#created = true
    const assembly = {
      replicas: [master, ...kept],
      master,
      locals: [],
      remotes: kept,
      size: memory.size,
      base: 0,
      attributes: undefined,
      keeper,
      policy: this.#policy,
      clock,
    }
    const pool = new Pool(assembly)
    this.#process = Object.assign(alive, { pool })
    for (const one of kept) one.begin().catch(() => {})
    return pool
  }

  /** The process ends at once; with `power` the whole machine does. */
  crash(power: boolean): void {
    if (!this.#process) return
    this.#process.lives = false
    this.#process = undefined
    this.disk.restart(memory => (power ? afterPowerFailure(memory, this.#dice) : afterProcess(memory)))
  }

  async close(): Promise<void> {
    const ended = this.#process
    this.#process = undefined
    await ended?.pool.close()
    if (ended) ended.lives = false
  }
}
