import type { Lanes, Ticket } from '../fabric-native/index.js'
import type { Persisting } from '../pool/index.js'

/** A persist under way on the lanes of a remote pool, whose errors are told in the pool's words. */
export class StartedPersist implements Persisting {
  readonly #lanes: Lanes
  readonly #ticket: Ticket
  readonly #rethrow: (error: unknown) => never

  constructor(lanes: Lanes, ticket: Ticket, rethrow: (error: unknown) => never) {
    this.#lanes = lanes
    this.#ticket = ticket
    this.#rethrow = rethrow
  }

  finishSync(): void {
    try {
      this.#lanes.finishSync(this.#ticket)
    } catch (error) {
      this.#rethrow(error)
    }
  }

  finish(): Promise<void> {
    return this.#lanes.finish(this.#ticket).catch(this.#rethrow)
  }
}
