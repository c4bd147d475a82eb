import type { Readable, Writable } from 'node:stream'
import { describe, hasCode, type RpmemError } from '../core/index.js'
import { type Frame, Framer } from '../wire/index.js'
import { Backlog } from './backlog.js'
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
  readonly #backlog: Backlog
  readonly #silence: Silence
  #stopped = false
  #over = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#dialogue = options.dialogue(bytes => this.#send(bytes))
    this.#framer = new Framer(this.#dialogue.shape)
    this.#backlog = new Backlog({
      answer: frame => this.#dialogue.answer(frame),
      onIdle: () => this.#silence.begin(),
      onOver: () => this.#hangUp(),
    })
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

  /** Reads on while a request is worked out, so that what need not wait does not. */
  async #converse(): Promise<number> {
    const broken = await this.#read()
    if (this.#stopped) this.#backlog.drop()
    // The frames before a violation still count.
    if ((await this.#backlog.done()) === 'over') return exitCodes.closed
    if (broken) throw broken
    if (!this.#stopped) this.#framer.end()
    this.#options.node.log.write('notice', 'the initiator has gone')
    return exitCodes.inputEnded
  }

  /** Until the end of the input, or up to the violation that is handed back. */
  async #read(): Promise<RpmemError | undefined> {
    try {
      for await (const chunk of this.#chunks()) this.#framer.push(chunk, frame => this.#take(frame))
      return undefined
    } catch (error) {
      if (hasCode(error, 'ERR_PROTOCOL')) return error
      throw error
    }
  }

  /** While an answer is worked out, the initiator has every right to be silent. */
  #take(frame: Frame): void {
    if (!this.#dialogue.interject(frame)) this.#backlog.add(frame)
    if (this.#backlog.busy) this.#silence.stop()
    else this.#silence.begin()
  }

  /** The input; an error on it is its end. */
  async *#chunks(): AsyncGenerator<Uint8Array> {
    if (this.#stopped) return
    try {
      for await (const chunk of this.#options.input) yield chunk
    } catch (error) {
      if (this.#stopped || this.#over) return
      this.#options.node.log.write('warn', `the input failed: ${describe(error).join(': ')}`)
    }
  }

  #hangUp(): void {
    this.#over = true
    this.#options.input.destroy()
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
