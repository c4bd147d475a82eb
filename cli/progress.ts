import { formatBytes } from '../core/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'

/** A bar on standard error that is redrawn in place; nothing at all in a pipe. */
export class Progress {
  readonly #io: Io
  readonly #total: number
  readonly #startMs: number
  #drawnMs = Number.NEGATIVE_INFINITY

  /** `total` is in bytes. */
  constructor(io: Io, total: number, nowMs: number) {
    this.#io = io
    this.#total = total
    this.#startMs = nowMs
  }

  /** Draws at most ten times a second. */
  update(done: number, nowMs: number): void {
    if (!this.#io.terminal || nowMs - this.#drawnMs < 100) return
    this.#drawnMs = nowMs
    const share = this.#total > 0 ? done / this.#total : 1
    const elapsed = nowMs - this.#startMs
    const left = share > 0 ? (elapsed * (1 - share)) / share : 0
    const text = ` ${Math.floor(share * 100)} %  ${formatBytes(done)}  ${Math.ceil(left / 1000)} s left`
    const width = Math.max(10, Math.min(50, this.#io.columns - text.length - 4))
    const full = Math.round(width * share)
    const bar = paintFor(this.#io).bar('█'.repeat(full)) + '░'.repeat(width - full)
    this.#io.err(`\r  ${bar}${text}\x1b[K`)
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#io.terminal) this.#io.err('\r\x1b[K')
  }
}
