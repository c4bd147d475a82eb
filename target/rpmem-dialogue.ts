import { describe, hasCode, MiB, RpmemError } from '../core/index.js'
import { type ProviderName, providerNames } from '../fabric-native/index.js'
import {
  type ControlMessage,
  checkAccept,
  controlShape,
  controlTypeOf,
  decodeControl,
  encodeControl,
  encodeFirstWord,
  type Frame,
  failureOf,
  laneTokens,
  makeLaneSecret,
  maxSumsSize,
  ourCapabilities,
  ourVersions,
  violation,
} from '../wire/index.js'
import type { Dialogue, Send, Verdict } from './dialogue.js'
import { maxInlineSize, Serving } from './serving.js'
import type { TargetNode } from './target-node.js'

type Begin = ControlMessage<'create' | 'open'>

/** The target's side of the rpmem dialect (docs/protocol.md). A failed request is answered with everything known about it. */
export class RpmemDialogue implements Dialogue {
  readonly shape = controlShape
  readonly pinged = true
  serving: Serving | undefined
  readonly #node: TargetNode
  readonly #send: Send
  readonly #software: string
  #hello: ControlMessage<'hello'> | undefined
  #accepted = false

  constructor(node: TargetNode, send: Send, software: string) {
    this.#node = node
    this.#send = send
    this.#software = software
  }

  async greet(): Promise<void> {
    this.#send(encodeFirstWord('rpmem'))
    this.#hello = {
      type: 'hello',
      versions: ourVersions,
      software: this.#software,
      capabilities: ourCapabilities,
      offers: await this.#node.offers,
    }
    this.#say(this.#hello)
  }

  /** A ping is answered whatever is under way: the answer tells that this end lives, not that it has finished. */
  interject(frame: Frame): boolean {
    if (!this.#accepted || controlTypeOf(frame.type) !== 'ping') return false
    this.#pong(decodeControl(frame) as ControlMessage<'ping'>)
    return true
  }

  async answer(frame: Frame): Promise<Verdict> {
    const message = decodeControl(frame)
    if (message.type === 'accept') return this.#accept(message)
    if (!this.#accepted) throw violation(message.type, 'accept comes before every other message')
    switch (message.type) {
      case 'create':
      case 'open':
        return this.#serve(message)
      case 'setAttributes':
        return this.#setAttributes(message)
      case 'adopt':
        return this.#adopt(message)
      case 'sums':
        return this.#sums(message)
      case 'close':
        return this.#close(message)
      default:
        throw violation(message.type, 'this message is the target’s to send')
    }
  }

  reproach(error: RpmemError): void {
    this.#say(failureOf(error, 0))
  }

  #say(message: ControlMessage): void {
    this.#send(encodeControl(message))
  }

  #pong({ id }: ControlMessage<'ping'>): void {
    this.#say({ type: 'pong', id, activeLanes: this.serving?.service.counters().activeLanes ?? 0 })
  }

  #accept(message: ControlMessage<'accept'>): Verdict {
    if (this.#accepted || !this.#hello) throw violation('accept', 'it comes once, after hello')
    checkAccept(this.#hello, message)
    this.#accepted = true
    return 'go on'
  }

  async #serve(message: Begin): Promise<Verdict> {
    if (this.serving) throw violation(message.type, 'a session serves one pool')
    const secret = makeLaneSecret(this.#node.random)
    try {
      const request = serveRequest(message)
      this.serving = await Serving.start(this.#node, request, {
        dialect: 'rpmem',
        tokens: lanes => laneTokens(secret, lanes),
      })
      this.#say(ready(message.id, this.serving, request.inlineSize, secret, this.#node))
      return 'go on'
    } catch (error) {
      // Another provider may do: what was created is gone again, so the initiator asks anew.
      return this.#fail(message, error, hasCode(error, 'ERR_MEMORY_UNPINNABLE') ? 'go on' : 'over')
    }
  }

  async #setAttributes(message: ControlMessage<'setAttributes'>): Promise<Verdict> {
    try {
      if (!this.serving) throw notServing()
      await this.serving.pool.setAttributes(message.attributes)
      this.#say({ type: 'done', id: message.id })
      return 'go on'
    } catch (error) {
      return this.#fail(message, error, 'go on')
    }
  }

  async #adopt(message: ControlMessage<'adopt'>): Promise<Verdict> {
    try {
      if (!this.serving) throw notServing()
      this.serving.pool.record.write(message.record)
      this.#say({ type: 'done', id: message.id })
    } catch (error) {
      return this.#fail(message, error, 'go on')
    }
    return 'go on'
  }

  async #sums(message: ControlMessage<'sums'>): Promise<Verdict> {
    try {
      if (!this.serving) throw notServing()
      const { offset, length, blockSize } = message
      const { blockSumSize, blockSums } = await import('../pool/index.js')
      checkSums(message, this.serving.size, maxSumsSize / blockSumSize)
      const sums = blockSums(this.serving.pool.memory, offset, length, blockSize)
      this.#say({ type: 'blockSums', id: message.id, sums })
    } catch (error) {
      return this.#fail(message, error, 'go on')
    }
    return 'go on'
  }

  /** Lanes that could not be connected in time fail the close, and with it the creation, unless the pool is to go anyway. */
  async #close(message: ControlMessage<'close'>): Promise<Verdict> {
    const { serving } = this
    try {
      if (!serving) throw notServing()
      this.serving = undefined
      const failure = message.remove ? undefined : serving.lanesFailure
      await serving.end({ remove: message.remove || failure !== undefined })
      if (failure) throw failure
      this.#say({ type: 'done', id: message.id })
      return 'over'
    } catch (error) {
      return this.#fail(message, error, 'over')
    }
  }

  #fail(message: { readonly type: string; readonly id: number }, error: unknown, verdict: Verdict): Verdict {
    this.#node.log.write('err', `${message.type}: ${describe(error).join(': ')}`)
    this.#say(failureOf(error, message.id))
    return verdict
  }
}

const notServing = (): RpmemError => new RpmemError('ERR_PROTOCOL', 'no pool was created or opened in this session')

/** Longer ones would keep pings waiting. */
const maxSummedBytes = 64 * MiB

/** No more is read than is served, and no more is answered than a frame holds. */
function checkSums({ offset, length, blockSize }: ControlMessage<'sums'>, size: number, most: number): void {
  const fits = length <= maxSummedBytes && Math.ceil(length / blockSize) <= most
  if (fits && offset + length <= size) return
  throw new RpmemError(
    'ERR_RANGE',
    `checksums are of at most ${most} blocks and ${maxSummedBytes} bytes inside the ${size} bytes that are served`,
    {
      facts: { offset, length, blockSize, size },
    },
  )
}

function serveRequest(message: Begin) {
  const { type: kind, poolSet, size, lanes } = message
  if (lanes === 0 || size === 0)
    throw new RpmemError('ERR_ARGUMENT', `a pool needs a size and lanes, not ${size} bytes and ${lanes} lanes`, {
      facts: { size, lanes },
    })
  const attributes = message.type === 'create' ? message.attributes : undefined
  const inlineSize = Math.min(message.inlineSize, maxInlineSize)
  const { claim } = message
  return { kind, poolSet, size, lanes, provider: knownProvider(message.provider), inlineSize, attributes, claim }
}

function knownProvider(name: string): ProviderName {
  const provider = providerNames.find(known => known === name)
  if (provider) return provider
  throw new RpmemError('ERR_NO_PROVIDER', `this target does not know the provider '${name}'`, { facts: { name } })
}

function ready(id: number, serving: Serving, inlineSize: number, secret: Uint8Array, node: TargetNode) {
  const { service, pool, method } = serving
  return {
    type: 'ready',
    id,
    address: node.connection?.serverAddress ?? '',
    port: service.port,
    method,
    durability: pool.memory.method,
    rkey: service.rkey,
    raddr: service.raddr,
    lanes: service.lanes,
    inlineSize,
    poolSize: pool.size,
    attributes: pool.attributes,
    secret,
    record: serving.record,
  } as const
}
