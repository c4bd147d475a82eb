import { formatBytes } from '../core/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'

/** A bar on standard error that is redrawn in place, with bytes, rate and time left; nothing at all in a pipe. */
export class Progress {
  readonly #io: Io
  readonly #what: string | undefined
  #total: number
  #startMs: number
  #doneAtStart = 0
  #done = 0
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

  /** Draws at most ten times a second. What has less done than before has begun anew. */
  update(done: number, nowMs: number, total = this.#total): void {
    if (done < this.#done || this.#total === 0) {
      this.#startMs = nowMs
      this.#doneAtStart = done
    }
    this.#done = done
    this.#total = total
    if (!this.#io.terminal || nowMs - this.#drawnMs < 100) return
    this.#drawnMs = nowMs
    this.#io.err(`\r  ${total === 0 && this.#what !== undefined ? this.#waitingText() : this.#barText(nowMs)}\x1b[K`)
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#io.terminal) this.#io.err('\r\x1b[K')
  }

  #waitingText(): string {
    return `${this.#what} …`.slice(0, this.#io.columns - 4)
  }

  #barText(nowMs: number): string {
    const share = this.#total > 0 ? Math.min(1, this.#done / this.#total) : 1
    const elapsedMs = nowMs - this.#startMs
    const bytesPerMs = elapsedMs > 0 ? (this.#done - this.#doneAtStart) / elapsedMs : 0
    const rate = bytesPerMs > 0 ? `  ${formatBytes(bytesPerMs * 1000)}/s` : ''
    const leftMs = (this.#total - this.#done) / bytesPerMs
    const left = Number.isFinite(leftMs) ? `  ${Math.ceil(leftMs / 1000)} s left` : ''
    const text = ` ${Math.floor(share * 100)} %  ${formatBytes(this.#done)}${rate}${left}`
    const width = Math.max(10, Math.min(50, this.#io.columns - text.length - 4))
    const full = Math.round(width * share)
    return paintFor(this.#io).bar('█'.repeat(full)) + '░'.repeat(width - full) + text
  }
}
