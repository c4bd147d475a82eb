import type { Lanes, Ticket } from '../fabric-native/index.js'
import type { Persisting } from '../pool/index.js'

/** A persist under way on the lanes of a remote pool, whose errors are told in the pool's words. */
export class StartedPersist implements Persisting {
  readonly #lanes: Lanes
  readonly #ticket: Ticket
  readonly #translate: (error: unknown) => unknown

  constructor(lanes: Lanes, ticket: Ticket, translate: (error: unknown) => unknown) {
    this.#lanes = lanes
    this.#ticket = ticket
    this.#translate = translate
  }

  finishSync(): void {
    try {
      this.#lanes.finishSync(this.#ticket)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  finish(): Promise<void> {
    return this.#lanes.finish(this.#ticket).catch((error: unknown) => {
      throw this.#translate(error)
    })
  }
}
