import type { Writable } from 'node:stream'
import { MiB, zeroAttributes } from '../../core/index.js'
import {
  type ControlMessage,
  type ControlType,
  controlShape,
  decodeControl,
  encodeControl,
  type Frame,
  Framer,
} from '../../wire/index.js'

export const attributes = {
  ...zeroAttributes(),
  signature: new Uint8Array(Buffer.from('SESSION1')),
  major: 7,
  incompat: 2,
}
const request = { id: 1, poolSet: 'single.set', size: 8 * MiB, lanes: 2, provider: 'tcp', inlineSize: 4096 }
export const create = { type: 'create', ...request, attributes } as const
export const open = { type: 'open', ...request } as const
export const accept = { type: 'accept', version: 1, capabilities: [] } as const

/** Both directions of a conversation with a daemon, in this process or in another. */
export interface Channel {
  readonly input: Writable
  /** Exit code, or the signal of which the process died. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** The next `count` bytes of the daemon's output, or what came before its end. */
  read(count: number): Promise<Uint8Array>
}

/** The initiator's end of the rpmem dialect, one message at a time. */
export class Initiator<C extends Channel> {
  readonly channel: C
  readonly #framer = new Framer(controlShape)
  readonly #frames: Frame[] = []

  constructor(channel: C) {
    this.channel = channel
  }

  say(...messages: ControlMessage[]): void {
    for (const message of messages) this.channel.input.write(encodeControl(message))
  }

  async hear<T extends ControlType>(type: T): Promise<Extract<ControlMessage, { readonly type: T }>> {
    const message = await this.next()
    if (isOfType(message, type)) return message
    throw new Error(`the daemon said ${JSON.stringify(message)} instead of ${type}`)
  }

  async next(): Promise<ControlMessage> {
    while (this.#frames.length === 0) {
      const byte = await this.channel.read(1)
      if (byte.length === 0) throw new Error('the daemon has ended')
      this.#framer.push(byte, frame => this.#frames.push(frame))
    }
    const [frame] = this.#frames.splice(0, 1) as [Frame]
    return decodeControl(frame)
  }

  /** Up to accept, which has no answer. */
  async begin(): Promise<ControlMessage<'hello'>> {
    const word = await this.channel.read(4)
    if (Buffer.from(word).toString() !== 'RPM1') throw new Error(`the daemon began with ${word}`)
    const hello = await this.hear('hello')
    this.say(accept)
    return hello
  }

  /** Exit code; the input ends here. */
  async end(): Promise<number | NodeJS.Signals> {
    this.channel.input.end()
    return this.channel.ended
  }
}

function isOfType<T extends ControlType>(
  message: ControlMessage,
  type: T,
): message is Extract<ControlMessage, { readonly type: T }> {
  return message.type === type
}
