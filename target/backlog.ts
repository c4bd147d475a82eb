import { MiB } from '../core/index.js'
import { type Frame, violation } from '../wire/index.js'
import type { Verdict } from './dialogue.js'

/** An initiator that asks and asks without waiting for answers is cut off here. */
const maxBytes = MiB

export interface BacklogOptions {
  readonly answer: (frame: Frame) => Promise<Verdict>
  /** Called each time when nothing is left to answer. */
  readonly onIdle: () => void
  /** Called once, when no further request will be answered: the conversation is over, or an answer failed. */
  readonly onOver: () => void
}

/** Requests that are answered one after the other, in the order in which they came, while more arrive. */
export class Backlog {
  readonly #options: BacklogOptions
  readonly #frames: Frame[] = []
  #bytes = 0
  #over = false
  #failure: unknown
  #work: Promise<void> | undefined

  constructor(options: BacklogOptions) {
    this.#options = options
  }

  get busy(): boolean {
    return this.#work !== undefined
  }

  /** Begun at once if nothing else is. ERR_PROTOCOL if more than 1 MiB would wait. */
  add(frame: Frame): void {
    const bytes = this.#bytes + frame.bytes.length
    if (bytes > maxBytes) throw violation('request', `at most ${maxBytes} bytes of requests wait`, { bytes })
    this.#bytes = bytes
    this.#frames.push(frame)
    if (!this.#over) this.#work ??= this.#answerAll()
  }

  /** Forgets what was not begun yet. */
  drop(): void {
    this.#frames.length = 0
    this.#bytes = 0
  }

  /** Waits for the answers; throws what one of them threw. */
  async done(): Promise<Verdict> {
    await this.#work
    if (this.#failure !== undefined) throw this.#failure
    return this.#over ? 'over' : 'go on'
  }

  async #answerAll(): Promise<void> {
    try {
      while (!this.#over && this.#frames.length > 0) {
        const frame = this.#frames.shift() as Frame
        this.#bytes -= frame.bytes.length
        this.#over = (await this.#options.answer(frame)) === 'over'
      }
    } catch (error) {
      this.#failure = error
      this.#over = true
    }
    this.#work = undefined
    if (this.#over) this.#options.onOver()
    else this.#options.onIdle()
  }
}
