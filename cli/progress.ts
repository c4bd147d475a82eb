import { formatBytes } from '../core/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'

export interface ProgressFigures {
  /** Bytes, if it changes. */
  readonly total?: number
  readonly bytesPerSecond?: number
}

/** A bar on standard error that is redrawn in place, with bytes, rate and time left; nothing at all in a pipe. */
export class Progress {
  readonly #io: Io
  readonly #what: string | undefined
  #total: number
  readonly #startMs: number
  #drawnMs = Number.NEGATIVE_INFINITY

  /**
   * @param total bytes; 0: not yet known
   * @param what is shown as long as there is nothing to draw a bar of
   */
  constructor(io: Io, total: number, nowMs: number, what?: string) {
    this.#io = io
    this.#total = total
    this.#startMs = nowMs
    this.#what = what
  }

  /** Draws at most ten times a second. The rate is that since the beginning, unless it is known better. */
  update(done: number, nowMs: number, { total = this.#total, bytesPerSecond }: ProgressFigures = {}): void {
    this.#total = total
    if (!this.#io.terminal || nowMs - this.#drawnMs < 100) return
    this.#drawnMs = nowMs
    this.#io.err(
      `\r  ${total === 0 && this.#what !== undefined ? this.#waitingText() : this.#barText(done, bytesPerSecond ?? rateOf(done, nowMs - this.#startMs))}\x1b[K`,
    )
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#io.terminal) this.#io.err('\r\x1b[K')
  }

  #waitingText(): string {
    return `${this.#what} …`.slice(0, this.#io.columns - 4)
  }

  #barText(done: number, bytesPerSecond: number): string {
    const share = this.#total > 0 ? Math.min(1, done / this.#total) : 1
    const rate = bytesPerSecond > 0 ? `  ${formatBytes(bytesPerSecond)}/s` : ''
    const leftSeconds = (this.#total - done) / bytesPerSecond
    const left = Number.isFinite(leftSeconds) ? `  ${Math.ceil(leftSeconds)} s left` : ''
    const text = ` ${Math.floor(share * 100)} %  ${formatBytes(done)}${rate}${left}`
    const width = Math.max(10, Math.min(50, this.#io.columns - text.length - 4))
    const full = Math.round(width * share)
    return paintFor(this.#io).bar('█'.repeat(full)) + '░'.repeat(width - full) + text
  }
}

const rateOf = (done: number, elapsedMs: number): number => (elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0)
