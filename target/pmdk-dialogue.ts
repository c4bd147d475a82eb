import { describe, type RpmemError } from '../core/index.js'
import {
  decodePmdkRequest,
  encodeFirstWord,
  encodePmdkResponse,
  type Frame,
  type PmdkCreate,
  type PmdkOpen,
  type PmdkRefusal,
  type PmdkRequest,
  pmdkRefusalOf,
  pmdkRequestShape,
  refusalFor,
} from '../wire/index.js'
import type { Dialogue, Send, Verdict } from './dialogue.js'
import { maxInlineSize, Serving } from './serving.js'
import type { TargetNode } from './target-node.js'

/**
 * The daemon's side of PMDK 1.12's control protocol. Where PMDK's rpmemd aborts or crashes (no lanes, attributes before a
 * pool or none for a pool with headers), this one answers with a status; after a message that breaks the rules it ends
 * without the stray word that PMDK's writes.
 */
export class PmdkDialogue implements Dialogue {
  readonly shape = pmdkRequestShape
  readonly pinged = false
  serving: Serving | undefined
  readonly #node: TargetNode
  readonly #send: Send

  constructor(node: TargetNode, send: Send) {
    this.#node = node
    this.#send = send
  }

  async greet(): Promise<void> {
    this.#send(encodeFirstWord('pmdk'))
  }

  interject(_frame: Frame): boolean {
    return false
  }

  async answer(frame: Frame): Promise<Verdict> {
    const request = decodePmdkRequest(frame.bytes)
    switch (request.type) {
      case 'create':
      case 'open':
        return this.#serve(request)
      case 'setAttributes':
        return this.#setAttributes(request)
      case 'close':
        return this.#close(request.remove)
    }
  }

  reproach(_error: RpmemError): void {
    // PMDK has no message for it: the initiator reads the end of the stream.
  }

  async #serve(request: PmdkCreate | PmdkOpen): Promise<Verdict> {
    const refusal = this.#refusalOf(request)
    if (refusal) return this.#refuse(request.type, refusal)
    try {
      this.serving = await Serving.start(this.#node, serveRequest(request), {
        dialect: 'pmdk',
        peerAddress: this.#node.connection?.clientAddress ?? '',
      })
    } catch (error) {
      this.#node.log.write('err', `${request.type} '${request.poolSet}': ${describe(error).join(': ')}`)
      return this.#refuse(request.type, refusalFor(error))
    }
    this.#send(encodePmdkResponse(ready(request.type, this.serving)))
    return 'go on'
  }

  #refusalOf(request: PmdkCreate | PmdkOpen): PmdkRefusal | undefined {
    if (this.serving || request.bufferSize > maxInlineSize || request.poolSize === 0) return 'FATAL'
    return pmdkRefusalOf(request)
  }

  #refuse(type: 'create' | 'open', status: PmdkRefusal): Verdict {
    this.#node.log.write('err', `${type} refused: ${status}`)
    this.#send(encodePmdkResponse(type === 'create' ? { type, status } : { type, status }))
    return 'over'
  }

  async #setAttributes(request: Extract<PmdkRequest, { type: 'setAttributes' }>): Promise<Verdict> {
    this.#send(encodePmdkResponse({ type: request.type, status: await this.#attributesStatus(request) }))
    return 'go on'
  }

  async #attributesStatus({ attributes }: Extract<PmdkRequest, { type: 'setAttributes' }>) {
    if (!this.serving) return 'FATAL'
    try {
      await this.serving.pool.setAttributes(attributes)
      return 'SUCCESS'
    } catch (error) {
      this.#node.log.write('err', `set attributes: ${describe(error).join(': ')}`)
      return refusalFor(error)
    }
  }

  async #close(remove: boolean): Promise<Verdict> {
    this.#send(encodePmdkResponse({ type: 'close', status: (await this.#endServing(remove)) ? 'SUCCESS' : 'FATAL' }))
    return 'over'
  }

  /** As with PMDK, a session whose lanes never came up has failed, and so has the creation of its pool. */
  async #endServing(remove: boolean): Promise<boolean> {
    const { serving } = this
    if (!serving) return false
    if (!remove) await serving.awaitLanes()
    const failure = serving.inBandFailure
    this.serving = undefined
    try {
      await serving.end({ remove: remove || failure !== undefined })
      return failure === undefined
    } catch (error) {
      this.#node.log.write('err', `close: ${describe(error).join(': ')}`)
      return false
    }
  }
}

const serveRequest = (request: PmdkCreate | PmdkOpen) => ({
  kind: request.type,
  poolSet: request.poolSet,
  size: request.poolSize,
  lanes: request.lanes,
  provider: request.provider,
  inlineSize: request.bufferSize,
  attributes: request.type === 'create' ? request.attributes : undefined,
})

function ready(type: 'create' | 'open', { service, method, pool }: Serving) {
  const { port, rkey, raddr, lanes } = service
  const inBand = { port, method, rkey, raddr, lanes }
  const status = 'SUCCESS'
  return type === 'create'
    ? ({ type, status, inBand } as const)
    : ({ type, status, inBand, attributes: pool.attributes } as const)
}
