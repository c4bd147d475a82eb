import type { Clock } from '../core/index.js'

/** A target that stops is noticed after two and a half seconds. */
export const pingIntervalMs = 500
export const pingRounds = 4

export interface WatchdogOptions {
  readonly clock: Clock
  /** Asks the target for a sign of life. */
  readonly ping: () => Promise<void>
  /** Default half a second. */
  readonly intervalMs?: number
  /** Rounds without an answer after which the target counts as lost; default 4. */
  readonly rounds?: number
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
    const { clock, intervalMs = pingIntervalMs } = this.#options
    return clock.after(intervalMs, () => this.#round())
  }

  #round(): void {
    const { rounds = pingRounds, intervalMs = pingIntervalMs, onSilent } = this.#options
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
