/**
 * Makes a file durable off the event loop. Calls that come while one is under way share the next: a batch of persists costs
 * one wait for the disk. After a failure it stays failed, since the kernel may have dropped the pages and reports that only
 * once.
 */
export class FileSync {
  readonly #work: () => Promise<void>
  #running: Promise<void> | undefined
  /** Begins when `running` ends; what was stored until then is included. */
  #next: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(work: () => Promise<void>) {
    this.#work = work
  }

  /** Resolves when all that was stored before this call is durable. */
  run(): Promise<void> {
    if (this.#next) return this.#next
    if (!this.#running) return this.#begin()
    this.#next = this.#running.catch(() => {}).then(() => this.#begin())
    return this.#next
  }

  #begin(): Promise<void> {
    this.#next = undefined
    const running = this.#attempt().finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  async #attempt(): Promise<void> {
    if (this.#failure) throw this.#failure.error
    try {
      await this.#work()
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }
}
