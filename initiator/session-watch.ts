import type { Clock, PoolAttributes } from '../core/index.js'
import type { Lanes } from '../fabric-native/index.js'
import type { Session } from './session.js'
import { goodbyeMs, lateClose, silenceOf } from './target-loss.js'
import { pingIntervalMs, pingRounds, Watchdog } from './watchdog.js'

export interface SessionWatchOptions {
  readonly session: Session
  readonly lanes: Lanes
  readonly clock: Clock
  /** For a target that lives and takes its time to close the pool. */
  readonly closeDeadlineMs: number
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
      onSilent: silentMs => onLost(silenceOf(silentMs)),
    })
    session.onLost(onLost)
    session.unref()
  }

  setAttributes(attributes: PoolAttributes | undefined): Promise<void> {
    return this.#options.session.setAttributes(attributes)
  }

  /** To be called before the lanes are closed: the target is watched further if the session itself can ask it. */
  withoutLanes(): void {
    if (!this.#options.session.promptPings) this.stop()
  }

  /** Idempotent. */
  stop(): void {
    this.#watchdog.stop()
  }

  abandon(error: Error): void {
    this.stop()
    this.#options.session.abandon(error)
  }

  /** A target that does not close in time is lost: within 3 s, unless it shows meanwhile that it lives. */
  async goodbye(remove: boolean): Promise<void> {
    const { session, clock, closeDeadlineMs, onLost } = this.#options
    const [limitMs, reason] = session.promptPings ? [closeDeadlineMs, lateClose] : [goodbyeMs, silenceOf]
    const cancel = clock.after(limitMs, () => onLost(reason(limitMs)), 'holds')
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
