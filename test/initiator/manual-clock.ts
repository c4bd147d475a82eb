import type { Clock } from '../../core/index.js'

/** Time that moves by hand, in order of what is due. */
export class ManualClock implements Clock {
  #now = 0
  #due: { at: number; call: () => void; holds: boolean }[] = []

  nowMs(): number {
    return this.#now
  }

  after(delayMs: number, call: () => void, holds?: 'holds'): () => void {
    const entry = { at: this.#now + delayMs, call, holds: holds === 'holds' }
    this.#due.push(entry)
    return () => {
      this.#due = this.#due.filter(other => other !== entry)
    }
  }

  get holding(): boolean {
    return this.#due.some(({ holds }) => holds)
  }

  get armed(): number {
    return this.#due.length
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#now = next.at
      this.#due = this.#due.filter(other => other !== next)
      next.call()
      await new Promise(setImmediate)
    }
    this.#now = end
  }

  #next(end: number) {
    return this.#due.filter(({ at }) => at <= end).sort((left, right) => left.at - right.at)[0]
  }
}
