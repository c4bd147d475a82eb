import type { Clock } from '../core/index.js'

export interface SilenceOptions {
  readonly clock: Clock
  /** How long is too long. */
  readonly limitMs: number
  /** A number that changes with every sign of life that does not come as a message. */
  readonly signs: () => number
  /** Called once for each `begin`, if nothing came. */
  readonly onSilent: () => void
}

const rounds = 6

/**
 * Notices that the other end has fallen silent. It counts rounds and not time: a process that was stopped itself, and wakes
 * up late, must hear what came meanwhile before it judges. Its timer never keeps the process alive.
 */
export class Silence {
  readonly #options: SilenceOptions
  #cancel: () => void = () => {}
  #seen = 0
  #rounds = 0

  constructor(options: SilenceOptions) {
    this.#options = options
  }

  /** From here on nobody has been heard. */
  begin(): void {
    this.#cancel()
    this.#seen = this.#options.signs()
    this.#rounds = 0
    this.#arm()
  }

  /** Idempotent. */
  stop(): void {
    this.#cancel()
  }

  #arm(): void {
    const { clock, limitMs } = this.#options
    this.#cancel = clock.after(limitMs / rounds, () => this.#round())
  }

  #round(): void {
    if (this.#options.signs() !== this.#seen) this.begin()
    else if (++this.#rounds < rounds) this.#arm()
    else this.#options.onSilent()
  }
}
