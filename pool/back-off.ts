import type { Random } from '../core/index.js'

export interface BackOffOptions {
  /** Before the second attempt; doubled for each further one. Default 100. */
  readonly firstMs?: number
  /** No wait is longer. Default 10,000. */
  readonly mostMs?: number
}

/**
 * How long to wait between attempts: doubling, capped, and drawn from the upper half of that, so that many initiators that lost
 * the same target do not come back at the same moment.
 */
export class BackOff {
  readonly #random: Random
  readonly #firstMs: number
  readonly #mostMs: number
  #attempts = 0

  constructor(random: Random, { firstMs = 100, mostMs = 10_000 }: BackOffOptions = {}) {
    this.#random = random
    this.#firstMs = firstMs
    this.#mostMs = mostMs
  }

  get mostMs(): number {
    return this.#mostMs
  }

  nextMs(): number {
    const wholeMs = Math.min(this.#mostMs, this.#firstMs * 2 ** Math.min(this.#attempts++, 30))
    const [low = 0, high = 0] = this.#random.bytes(2)
    return (wholeMs * (1 + (low + high * 256) / 65_536)) / 2
  }

  reset(): void {
    this.#attempts = 0
  }
}
