import { hasCode, KiB } from '../../core/index.js'
import type { Policy, Pool, Receipt } from '../../pool/index.js'
import { Dice } from './dice.js'
import { History, Violation } from './history.js'
import { SimClock } from './sim-clock.js'
import { SimInitiator } from './sim-initiator.js'
import { SimTarget, type TargetFlaw } from './sim-target.js'

const size = 48 * KiB
const third = size / 3
/** From any state, on a healthy network, all is in step after so long: the longest silence of a daemon and some attempts. */
const healMs = 120_000

export interface Outcome {
  readonly seed: number
  readonly events: number
  readonly writes: number
  readonly acknowledged: number
  readonly faults: number
  /** What went wrong, seen from outside; undefined if nothing did. */
  readonly violation: string | undefined
}

export interface SimulateOptions {
  readonly flaw?: TargetFlaw
  /** Told what happens, line by line. */
  readonly trace?: ((line: string) => void) | undefined
}

/** One run: a program persists while everything around it fails, and at the end everything is healed and compared. */
export async function simulate(seed: number, { flaw, trace }: SimulateOptions = {}): Promise<Outcome> {
  const world = new World(seed, flaw, trace)
  let violation: string | undefined
  try {
    await world.run()
  } catch (error) {
    if (!(error instanceof Violation)) throw new Error(`seed ${seed}`, { cause: error })
    violation = error.message
  }
  return world.outcome(violation)
}

class World {
  readonly #seed: number
  readonly #dice: Dice
  readonly #trace: (line: string) => void
  readonly #clock = new SimClock()
  readonly #targets: readonly SimTarget[]
  readonly #initiator: SimInitiator
  readonly #history = new History(size)
  #faults = 0
  /** Of the program that runs now. */
  #writesSinceStart = 0
  /** By name: an operator decided for the copy of this target, when it held this. */
  readonly #promoted = new Map<string, Uint8Array>()
  #broken: Violation | undefined

  constructor(seed: number, flaw: TargetFlaw | undefined, trace: SimulateOptions['trace']) {
    this.#seed = seed
    this.#trace = line => trace?.(`${this.#clock.nowMs.toFixed(1).padStart(10)} ms  ${line}`)
    this.#dice = new Dice(seed)
    const count = 1 + this.#dice.below(2)
    this.#targets = Array.from(
      { length: count },
      (_, index) => new SimTarget(`node${index + 1}`, size, this.#clock, this.#dice, flaw),
    )
    const policy: Policy = this.#dice.pick([
      { onReplicaLost: 'degrade' },
      { onReplicaLost: 'degrade' },
      {},
      { minDurable: 2 },
      { onReplicaLost: 'suspend', suspendMs: 5000 },
    ] satisfies Policy[])
    this.#initiator = new SimInitiator(size, this.#targets, policy, this.#clock, this.#dice)
  }

  outcome(violation: string | undefined): Outcome {
    const { writes, acknowledged } = this.#history
    return { seed: this.#seed, events: this.#clock.ran, writes, acknowledged, faults: this.#faults, violation }
  }

  async run(): Promise<void> {
    await this.#start()
    const steps = 10 + this.#dice.below(40)
    for (let step = 0; step < steps; step++) {
      await this.#clock.runUntil(this.#clock.nowMs + this.#pauseMs())
      if (this.#broken) throw this.#broken
      if (this.#dice.once(4)) await this.#fault()
      else if (this.#clock.asleep) continue
      else if (this.#initiator.pool) this.#write(this.#initiator.pool)
      else await this.#start()
    }
    await this.#heal()
  }

  #pauseMs(): number {
    return this.#dice.pick([0, 0.2, 1, 1, 20, 200, 3000, this.#dice.once(20) ? 70_000 : 0])
  }

  async #start(): Promise<void> {
    // On a full disk a pool does not even open.
    this.#initiator.disk.record.full = false
    const pool = await this.#initiator.start()
    this.#history.check(this.#initiator.disk.master.afterPowerFailure(), 'the master after a restart')
    this.#trace('the pool is open')
    this.#writesSinceStart = 0
    pool.on('replica-state', ({ replica, state, error }) => {
      if (this.#initiator.pool !== pool) return
      this.#trace(`${replica} is ${state}${error instanceof Error ? `: ${error.message}` : ''}`)
      const target = this.#targets.find(one => one.name === replica)
      if (state === 'synced' && target) this.#guard(() => this.#checkSynced(target, pool))
    })
  }

  /** A replica that is called synced has all that was ever promised. */
  #checkSynced(target: SimTarget, pool: Pool): void {
    const status = pool.replicas.find(({ name }) => name === target.name)
    // The news is a little older than the moment.
    if (status?.state !== 'synced' || !target.serves) return
    this.#history.check(target.memory.afterPowerFailure(), `${target.name}, called synced,`)
    const same = Buffer.compare(target.memory.view(0, size), pool.view(0, size)) === 0
    if (this.#writesSinceStart === 0 && !same) throw new Violation(`${target.name} is called synced and differs`)
  }

  #write(pool: Pool): void {
    const length = 8 * (1 + this.#dice.below(this.#dice.once(4) ? 1500 : 40))
    // Ranges that overlap belong on one lane, since lanes are unordered: each has its third of the pool.
    const lane = this.#dice.below(3)
    const offset = lane * third + 8 * this.#dice.below((third - length) / 8)
    this.#writesSinceStart++
    const write = this.#history.store(pool.view(offset, length))
    const form = this.#dice.pick(['persist', 'persistSync', 'flush and drain'])
    this.#trace(`write ${write}: ${form} ${offset} ${length}, lane ${lane}`)
    // A program that has died was told nothing, whatever its messages still bring about.
    const died = () => this.#initiator.pool !== pool
    const whole = () => this.#targets.filter((target, index) => target.wipes === wipes[index])
    const wipes = this.#targets.map(target => target.wipes)
    const acknowledged = (receipt: Receipt) => {
      if (died()) return
      this.#trace(`write ${write}: ${receipt.replicas.map(({ level }) => level).join(', ')}`)
      this.#guard(() => this.#history.acknowledge(offset, length, write, receipt, whole()))
    }
    const rejected = (error: unknown) => {
      if (died()) return
      this.#trace(`write ${write}: ${error instanceof Error ? error.message : error}`)
      if (hasCode(error, 'ERR_PERSIST') && error.durability === 'local')
        this.#history.promiseLocally(offset, length, write)
      else if (!hasCode(error, 'ERR_PERSIST', 'ERR_CLOSED')) throw error
    }
    if (form === 'persist') pool.persist(offset, length, { lane }).then(acknowledged, rejected)
    else if (form === 'persistSync') {
      try {
        acknowledged(pool.persistSync(offset, length, { lane }))
      } catch (error) {
        rejected(error)
      }
    } else {
      try {
        pool.flush(offset, length, { lane })
        pool.drain({ lane }).then(acknowledged, rejected)
      } catch (error) {
        rejected(error)
      }
    }
  }

  /** Wrong deeds that show themselves in an event end the run at the next step. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      this.#broken ??= error
    }
  }

  async #fault(): Promise<void> {
    this.#faults++
    const target = this.#dice.pick(this.#targets)
    const faults: [string, () => void | Promise<void>][] = [
      [`the daemon of ${target.name} is killed`, () => target.kill()],
      [`${target.name} loses its power`, () => target.powerFailure()],
      [`${target.name} stops`, () => target.stop()],
      [`${target.name} goes on`, () => target.go()],
      [`the wire to ${target.name} changes`, () => target.turnWire('toTarget')],
      [`the wire from ${target.name} changes`, () => target.turnWire('toInitiator')],
      [
        `the wire of ${target.name} changes both ways`,
        () => {
          target.wire.toInitiator = this.#dice.once(2)
          target.wire.toTarget = target.wire.toInitiator
        },
      ],
      [`${target.name} gets slow or fast`, () => target.slow(this.#dice.pick([0, 30, 900]))],
      [`the disk of ${target.name} will fail`, () => target.spoilDisk()],
      [`the disk of ${target.name} gets full or free`, () => target.turnFull()],
      ['the initiator sleeps', () => this.#clock.sleep(this.#dice.pick([300, 2000, 8000, 90_000]))],
      ['the initiator loses its power', () => this.#crash(true)],
      ['the program is killed', () => this.#crash(false)],
      ['the program ends', () => this.#close()],
      ['the disk of the initiator gets full or free', () => this.#initiator.disk.turnFull()],
      [`something rare happens to ${target.name}`, () => this.#rarely(target)],
    ]
    const [name, fault] = this.#dice.pick(faults)
    this.#trace(name)
    await fault()
  }

  #crash(power: boolean): void {
    this.#initiator.crash(power)
    this.#clock.wake()
  }

  #rarely(target: SimTarget): void {
    if (!this.#dice.once(3)) return
    if (this.#dice.once(2)) {
      this.#trace(`${target.name} is wiped`)
      target.wipe()
      this.#promoted.delete(target.name)
    } else if (this.#promoted.size === 0 && target.promote()) {
      this.#trace(`${target.name} is promoted`)
      this.#promoted.set(target.name, target.memory.view(0, size).slice())
    }
  }

  /** A close waits for what is under way, which needs time to pass. */
  async #close(): Promise<void> {
    let closed = false
    await this.#clock.runUntil(this.#clock.awakeAtMs)
    this.#initiator.disk.record.full = false
    const closing = this.#initiator.close().finally(() => {
      closed = true
    })
    closing.catch(() => {})
    if (!(await this.#clock.runUntilTrue(() => closed, healMs))) throw new Violation('a close never ended')
    await closing
  }

  /** All faults end; everything has to come right by itself. */
  async #heal(): Promise<void> {
    for (const target of this.#targets) {
      Object.assign(target.wire, { toTarget: true, toInitiator: true, slowMs: 0 })
      target.diskFails = false
      target.record.full = false
      target.go()
    }
    this.#initiator.disk.record.full = false
    await this.#clock.runUntil(this.#clock.awakeAtMs)
    if (!this.#initiator.pool) await this.#start()
    const pool = this.#initiator.pool
    if (!pool) throw new Violation('the pool did not open')
    const rightOf = (name: string) => (this.#promoted.has(name) ? 'refused' : 'synced')
    const right = () => pool.replicas.every(({ name, kind, state }) => kind === 'local' || state === rightOf(name))
    if (!(await this.#clock.runUntilTrue(right, healMs))) {
      const states = pool.replicas.map(({ name, state, failure }) => `${name} ${state} (${failure ?? 'well'})`)
      throw new Violation(`not in step ${healMs} ms after all faults ended: ${states.join(', ')}`)
    }
    this.#write(pool)
    await this.#clock.runUntil(this.#clock.nowMs + 10_000)
    // What was rejected was promised nowhere, and may be anywhere.
    const needed = this.#targets.length - this.#promoted.size + 1
    pool.persistSync(0, size, { policy: { minDurable: needed } })
    if (this.#broken) throw this.#broken
    this.#compare(pool)
  }

  #compare(pool: Pool): void {
    const master = this.#initiator.disk.master
    this.#history.check(master.afterPowerFailure(), 'the master')
    for (const target of this.#targets) {
      const promoted = this.#promoted.get(target.name)
      const same = Buffer.compare(target.memory.view(0, size), promoted ?? pool.view(0, size)) === 0
      if (same) continue
      throw new Violation(
        `${target.name} ${promoted ? 'was overwritten after an operator chose it' : 'differs in the end'}`,
      )
    }
  }
}
