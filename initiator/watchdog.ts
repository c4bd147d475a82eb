import type { Clock } from '../core/index.js'

export interface WatchdogOptions {
  readonly clock: Clock
  /** Asks the target for a sign of life. */
  readonly ping: () => Promise<void>
  readonly intervalMs: number
  /** Rounds without an answer after which the target counts as lost. */
  readonly rounds: number
  /** Called at most once; `silentMs` is how long the answer has been missing, by rounds. */
  readonly onSilent: (silentMs: number) => void
}

/**
 * Asks again and again whether the target lives. It counts rounds and not time: a program that kept its own event loop busy
 * for seconds finds the answer waiting after the first round. Its timer never keeps the process alive.
 */
export class Watchdog {
  readonly #options: WatchdogOptions
  #cancel: () => void
  #unanswered = 0

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#cancel = this.#arm()
  }

  /** Idempotent. */
  stop(): void {
    this.#cancel()
  }

  #arm(): () => void {
    return this.#options.clock.after(this.#options.intervalMs, () => this.#round())
  }

  #round(): void {
    const { rounds, intervalMs, onSilent } = this.#options
    if (this.#unanswered >= rounds) {
      onSilent(this.#unanswered * intervalMs)
      return
    }
    // A failed ping is the business of the session, which tells it by itself.
    if (this.#unanswered++ === 0) this.#ask()
    this.#cancel = this.#arm()
  }

  #ask(): void {
    const answered = () => {
      this.#unanswered = 0
    }
    this.#options.ping().then(answered, () => {})
  }
}
