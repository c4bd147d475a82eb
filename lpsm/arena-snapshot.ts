import type { ArenaMemory } from '../fabric-native/index.js'
import type { LogRecord } from './log-reading.js'

/**
 * A past checkpoint, to be read. What is stored into its views is seen by nobody else and lost with it. As long as it is open, an
 * arena does not fold later checkpoints into the data file, so that its log grows.
 */
export class ArenaSnapshot {
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly timeMs: number
  /** Bytes. */
  readonly size: number
  readonly #memory: ArenaMemory
  readonly #release: () => void

  constructor({ sequence, timeMs, size }: LogRecord, memory: ArenaMemory, release: () => void) {
    this.sequence = sequence
    this.timeMs = timeMs
    this.size = size
    this.#memory = memory
    this.#release = release
  }

  get closed(): boolean {
    return this.#memory.closed
  }

  /** A window over the content, no copy; detached by close(). At most 2^32 - 1 bytes. @throws ERR_RANGE, ERR_CLOSED */
  view(offset: number, length: number): Uint8Array {
    return this.#memory.view(offset, length)
  }

  /** Idempotent. */
  close(): void {
    if (this.closed) return
    this.#memory.close()
    this.#release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}
