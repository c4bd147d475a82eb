import { type Clock, RpmemError } from '../core/index.js'
import type { Policy } from './policy.js'

const defaultMost = 1024
const defaultDeadlineMs = 3000

/** Calls that wait until fewer are under way, in their order. */
export class Congestion {
  readonly #clock: Clock
  readonly #waiting: { readonly mostPending: number; readonly begin: () => void }[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** May one more begin beside `pending` others, some of which may wait here? */
  admits(pending: number, { mostPending = defaultMost }: Policy): boolean {
    return pending < mostPending
  }

  /** A call has settled; `pending` are left, with those that wait here. */
  settled(pending: number): void {
    const [first] = this.#waiting
    if (!first || pending - this.#waiting.length >= first.mostPending) return
    this.#waiting.shift()
    first.begin()
  }

  /**
   * Resolves when it is the caller's turn, with the milliseconds that are left of its deadline. ERR_CONGESTED at once where the
   * policy says `fail`, else when the deadline has passed.
   */
  async turn({ onCongestion = 'block', mostPending = defaultMost }: Policy, deadlineMs?: number): Promise<number> {
    if (onCongestion === 'fail') throw congested(mostPending)
    const startMs = this.#clock.nowMs()
    const wholeMs = deadlineMs ?? defaultDeadlineMs
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(congested(mostPending))
      }
      const cancel = this.#clock.after(wholeMs, giveUp, 'holds')
      const begin = () => {
        cancel()
        resolve()
      }
      const waiting = { mostPending, begin }
      this.#waiting.push(waiting)
    })
    return Math.max(1, Math.ceil(wholeMs - (this.#clock.nowMs() - startMs)))
  }
}

const congested = (mostPending: number): RpmemError =>
  new RpmemError('ERR_CONGESTED', `${mostPending} operations are under way`, {
    facts: { mostPending },
    durability: 'none',
  })
