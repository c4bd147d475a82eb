import type { ControlChannel } from './control-channel.js'

/** How a session ends, whichever dialect it speaks: by its close, or because the channel broke or was given up. */
export abstract class DialectSession {
  protected readonly channel: ControlChannel
  #lost: Error | undefined
  #listener: (error: Error) => void = () => {}

  protected constructor(channel: ControlChannel) {
    this.channel = channel
  }

  get peerAddress(): string | undefined {
    return this.channel.peerAddress
  }

  /** Why the session ended, if it did. */
  protected get lost(): Error | undefined {
    return this.#lost
  }

  async close(remove: boolean): Promise<void> {
    if (this.#lost) throw this.#lost
    try {
      await this.sayGoodbye(remove)
      await this.channel.finish()
    } finally {
      this.channel.kill()
    }
  }

  onLost(listener: (error: Error) => void): void {
    this.#listener = listener
    if (this.#lost) listener(this.#lost)
  }

  abandon(error: Error): void {
    this.end(error)
    this.channel.kill()
  }

  unref(): void {
    this.channel.unref()
  }

  /** Fails what waits, and tells the listener; once. */
  protected end(error: Error): void {
    if (this.#lost) return
    this.#lost = error
    this.rejectWaiting(error)
    this.#listener(error)
  }

  /** Asks the daemon to close, and waits for its answer. */
  protected abstract sayGoodbye(remove: boolean): Promise<void>
  protected abstract rejectWaiting(error: Error): void
}
