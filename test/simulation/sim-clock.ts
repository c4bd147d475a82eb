import type { Clock } from '../../core/index.js'

/** Whose events: those of the initiator wait while its thread is blocked. */
export type Owner = 'world' | 'initiator'

interface Event {
  readonly atMs: number
  readonly order: number
  readonly owner: Owner
  readonly run: () => void
  cancelled: boolean
  /** Cancels what stands in its place since a sleep. */
  moved: (() => void) | undefined
}

/** Time that passes only when the simulation says so. Events of one moment happen in the order in which they were asked for. */
export class SimClock {
  #nowMs = 0
  #made = 0
  #events: Event[] = []
  #awakeAtMs = 0
  #ran = 0

  get nowMs(): number {
    return this.#nowMs
  }

  /** Events that have happened. */
  get ran(): number {
    return this.#ran
  }

  /** The machine of the initiator stands still: whatever it would do or hear comes after that. */
  sleep(forMs: number): void {
    this.#awakeAtMs = Math.max(this.#awakeAtMs, this.#nowMs + forMs)
    for (const event of this.#events.filter(({ owner }) => owner === 'initiator')) {
      event.cancelled = true
      const cancel = this.at(event.atMs - this.#nowMs, 'initiator', event.run)
      event.moved = cancel
    }
  }

  get asleep(): boolean {
    return this.#nowMs < this.#awakeAtMs
  }

  get awakeAtMs(): number {
    return this.#awakeAtMs
  }

  /** Another process has no part in the sleep of the one before it. */
  wake(): void {
    this.#awakeAtMs = 0
  }

  at(delayMs: number, owner: Owner, run: () => void): () => void {
    const soonestMs = owner === 'initiator' ? this.#awakeAtMs : 0
    const atMs = Math.max(this.#nowMs + Math.max(0, delayMs), soonestMs)
    const event: Event = { atMs, order: this.#made++, owner, run, cancelled: false, moved: undefined }
    let index = this.#events.length
    while (index > 0 && isLater(this.#events[index - 1], event)) index--
    this.#events.splice(index, 0, event)
    return () => {
      event.cancelled = true
      event.moved?.()
    }
  }

  /** The clock as a process sees it; a process that has died hears nothing any more. */
  portOf(owner: Owner, lives: () => boolean = () => true): Clock {
    return {
      nowMs: () => this.#nowMs,
      after: (delayMs, callback) => this.at(delayMs, owner, () => lives() && callback()),
    }
  }

  /** Runs the next event, at most `untilMs`; false if there is none. */
  step(untilMs = Number.POSITIVE_INFINITY, only?: Owner): boolean {
    const index = this.#events.findIndex(event => only === undefined || event.owner === only || event.cancelled)
    const event = this.#events[index]
    if (!event || event.atMs > untilMs) return false
    this.#events.splice(index, 1)
    if (event.cancelled) return true
    this.#nowMs = Math.max(this.#nowMs, event.atMs)
    this.#ran++
    event.run()
    return true
  }

  /** Lets events and what they set free happen until this moment. */
  async runUntil(atMs: number): Promise<void> {
    await settled()
    while (this.step(atMs)) await settled()
    this.#nowMs = Math.max(this.#nowMs, atMs)
  }

  /** The same until something holds; false if `mostMs` pass before. */
  async runUntilTrue(holds: () => boolean, mostMs: number): Promise<boolean> {
    const endMs = this.#nowMs + mostMs
    await settled()
    while (!holds()) {
      if (!this.step(endMs)) return false
      await settled()
    }
    return true
  }
}

const isLater = (one: Event | undefined, other: Event): boolean =>
  one !== undefined && (one.atMs > other.atMs || (one.atMs === other.atMs && one.order > other.order))

/** Every promise that can be kept without an event is kept. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
