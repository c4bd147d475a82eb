import type { Readable, Writable } from 'node:stream'
import { describe, hasCode, type RpmemError } from '../core/index.js'
import { type Frame, Framer } from '../wire/index.js'
import type { Dialogue, Send } from './dialogue.js'
import { Silence } from './silence.js'
import type { TargetNode } from './target-node.js'

/** Exit codes of rpmemd(1) for the end of a session. */
export const exitCodes = { closed: 0, inputEnded: 1, malformed: 255 } as const

export interface SessionOptions {
  readonly input: Readable
  readonly output: Writable
  readonly node: TargetNode
  readonly dialogue: (send: Send) => Dialogue
  /**
   * How long an initiator may stay silent; default 60 s. It must outlast an event loop of the initiator that is busy, or a
   * debugger, and no longer: until then nobody else can open the pool of an initiator that was cut off.
   */
  readonly silenceMs?: number
}

/** An initiator that asks and asks but never reads the answers is cut off here. */
const maxUnreadBytes = 1024 * 1024

/**
 * One conversation with one initiator: waiting for a pool, serving it, closed. However it ends (close, end of input, broken
 * output, nonsense, a signal), the lanes are stopped and the pool is closed before `run` settles; a pool that was created
 * but whose lanes never came up is removed again.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #dialogue: Dialogue
  readonly #framer: Framer
  readonly #silence: Silence
  #stopped = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#dialogue = options.dialogue(bytes => this.#send(bytes))
    this.#framer = new Framer(this.#dialogue.shape)
    this.#silence = new Silence({
      clock: options.node.clock,
      limitMs: options.silenceMs ?? 60_000,
      // A program that persists without a pause cannot ping, but its lanes are heard.
      signs: () => this.#dialogue.serving?.service.counters().messages ?? 0,
      onSilent: () => this.#endSilence(),
    })
    options.output.on('error', () => this.stop())
  }

  /** Resolves to the exit code of the process. */
  async run(): Promise<number> {
    const { log } = this.#options.node
    this.#silence.begin()
    try {
      await this.#dialogue.greet()
      return await this.#converse()
    } catch (error) {
      if (!hasCode(error, 'ERR_PROTOCOL')) throw error
      log.write('err', describe(error).join(': '))
      this.#dialogue.reproach(error)
      return exitCodes.malformed
    } finally {
      this.#silence.stop()
      await this.#leave()
    }
  }

  /** Ends the session as if the initiator had gone. */
  stop(): void {
    this.#stopped = true
    this.#options.input.destroy()
  }

  async #converse(): Promise<number> {
    for await (const chunk of this.#chunks()) {
      const frames: Frame[] = []
      const broken = this.#cut(chunk, frames)
      // While an answer is worked out, the initiator has every right to be silent.
      if (frames.length > 0) this.#silence.stop()
      for (const frame of frames) if ((await this.#dialogue.answer(frame)) === 'over') return exitCodes.closed
      if (broken) throw broken
      if (frames.length > 0) this.#silence.begin()
    }
    if (!this.#stopped) this.#framer.end()
    this.#options.node.log.write('notice', 'the initiator has gone')
    return exitCodes.inputEnded
  }

  /** The frames before a violation still count, so it is handed back and not thrown. */
  #cut(chunk: Uint8Array, frames: Frame[]): RpmemError | undefined {
    try {
      this.#framer.push(chunk, frame => frames.push(frame))
      return undefined
    } catch (error) {
      if (hasCode(error, 'ERR_PROTOCOL')) return error
      throw error
    }
  }

  /** The input; an error on it is its end. */
  async *#chunks(): AsyncGenerator<Uint8Array> {
    if (this.#stopped) return
    try {
      for await (const chunk of this.#options.input) yield chunk
    } catch (error) {
      if (this.#stopped) return
      this.#options.node.log.write('warn', `the input failed: ${describe(error).join(': ')}`)
    }
  }

  #send(bytes: Uint8Array): void {
    const { output, node } = this.#options
    if (!output.writable) return
    output.write(bytes)
    if (output.writableLength <= maxUnreadBytes) return
    node.log.write('err', 'the initiator does not read its answers')
    this.stop()
  }

  #endSilence(): void {
    const { serving, pinged } = this.#dialogue
    if (serving && !pinged) return
    this.#options.node.log.write('err', serving ? 'the initiator has fallen silent' : 'the initiator asks for nothing')
    this.stop()
  }

  async #leave(): Promise<void> {
    const { serving } = this.#dialogue
    if (!serving) return
    await serving.awaitLanes()
    try {
      await serving.end({ remove: serving.inBandFailure !== undefined })
    } catch (error) {
      this.#options.node.log.write('err', `closing the pool: ${describe(error).join(': ')}`)
    }
  }
}
