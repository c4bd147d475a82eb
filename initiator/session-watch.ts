import type { Clock, PoolAttributes } from '../core/index.js'
import type { Lanes } from '../fabric-native/index.js'
import type { Session } from './session.js'
import { goodbyeMs, silenceOf } from './target-loss.js'
import { Watchdog } from './watchdog.js'

const pingIntervalMs = 500
const pingRounds = 4

export interface SessionWatchOptions {
  readonly session: Session
  readonly lanes: Lanes
  readonly clock: Clock
  /** The session has ended, or the target is silent; may be called again. */
  readonly onLost: (cause: Error) => void
}

/** The control session of an open remote pool: watched for signs of life, and ended with a goodbye where there is somebody to hear it. */
export class SessionWatch {
  readonly #options: SessionWatchOptions
  readonly #watchdog: Watchdog

  constructor(options: SessionWatchOptions) {
    const { session, clock, onLost } = options
    this.#options = options
    this.#watchdog = new Watchdog({
      clock,
      ping: () => this.#ping(),
      intervalMs: pingIntervalMs,
      rounds: pingRounds,
      onSilent: silentMs => onLost(silenceOf(silentMs)),
    })
    session.onLost(onLost)
    session.unref()
  }

  setAttributes(attributes: PoolAttributes | undefined): Promise<void> {
    return this.#options.session.setAttributes(attributes)
  }

  /** Idempotent. */
  stop(): void {
    this.#watchdog.stop()
  }

  abandon(error: Error): void {
    this.stop()
    this.#options.session.abandon(error)
  }

  /** A target that does not answer within 3 s is lost. */
  async goodbye(remove: boolean): Promise<void> {
    const { session, clock, onLost } = this.#options
    const cancel = clock.after(goodbyeMs, () => onLost(silenceOf(goodbyeMs)), 'holds')
    try {
      await session.close(remove)
    } finally {
      cancel()
    }
  }

  async #ping(): Promise<void> {
    const { session, lanes } = this.#options
    if (session.ping) await session.ping()
    // PMDK's daemon knows no ping; eight bytes of its pool are a sign of life as well.
    else await lanes.read(0, new Uint8Array(8), { deadlineMs: pingIntervalMs * (pingRounds + 1) })
  }
}
