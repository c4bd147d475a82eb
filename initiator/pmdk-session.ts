import { assert, type Clock, type PoolAttributes, RpmemError } from '../core/index.js'
import {
  decodePmdkResponse,
  encodePmdkRequest,
  type Frame,
  type InBand,
  type PmdkRequest,
  type PmdkRequestType,
  type PmdkResponse,
  pmdkResponseShape,
  refusalError,
  violation,
} from '../wire/index.js'
import type { ControlChannel } from './control-channel.js'
import { DialectSession } from './dialect-session.js'
import type { Grant, PoolRequest, Session, SessionDeadlines } from './session.js'

interface Waiting {
  readonly resolve: (frame: Frame) => void
  readonly reject: (error: Error) => void
}

/** PMDK's daemon may wait that long for lanes that never come before it answers a close. */
const closeMs = 35_000

/** The conversation with PMDK's rpmemd: one request at a time, each answered at its full length. */
export class PmdkSession extends DialectSession implements Session {
  readonly dialect = 'pmdk'
  readonly software = 'PMDK rpmemd'
  readonly offers = undefined
  readonly promptPings = false
  readonly #clock: Clock
  readonly #deadlines: SessionDeadlines
  #waiting: Waiting | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(channel: ControlChannel, clock: Clock, deadlines: SessionDeadlines) {
    super(channel)
    this.#clock = clock
    this.#deadlines = deadlines
    channel.serve(
      pmdkResponseShape,
      frame => this.#received(frame),
      error => this.end(error),
    )
  }

  async create(request: PoolRequest, attributes: PoolAttributes | undefined): Promise<Grant> {
    const { openMs } = this.#deadlines
    const answer = await this.#ask({ type: 'create', ...commonOf(request), attributes }, openMs)
    return grantOf(answer.inBand, request, attributes)
  }

  async open(request: PoolRequest): Promise<Grant> {
    const answer = await this.#ask({ type: 'open', ...commonOf(request) }, this.#deadlines.openMs)
    return grantOf(answer.inBand, request, answer.attributes)
  }

  async setAttributes(attributes: PoolAttributes | undefined): Promise<void> {
    await this.#ask({ type: 'setAttributes', attributes }, this.#deadlines.answerMs)
  }

  protected override async sayGoodbye(remove: boolean): Promise<void> {
    await this.#ask({ type: 'close', remove }, closeMs)
  }

  protected override rejectWaiting(error: Error): void {
    this.#waiting?.reject(error)
  }

  async #ask<R extends PmdkRequest>(request: R, deadlineMs: number) {
    const turn = this.#last.then(() => this.#exchange(encodePmdkRequest(request), request.type, deadlineMs))
    this.#last = turn.catch(() => {})
    const frame = await turn
    const response: PmdkResponse = decodePmdkResponse<PmdkRequestType>(frame.bytes, request.type)
    if (response.status !== 'SUCCESS') throw refusalError(response.status, words[request.type])
    return response as Extract<PmdkResponse<R['type']>, { status: 'SUCCESS' }>
  }

  /** Without an answer in time nobody knows which request the next answer belongs to: the session ends. */
  #exchange(bytes: Uint8Array, type: PmdkRequestType, deadlineMs: number): Promise<Frame> {
    return new Promise<Frame>((resolve, reject) => {
      if (this.lost) throw this.lost
      assert(this.#waiting === undefined, 'requests to PMDK go one at a time')
      const late = () => this.channel.fail(lateError(type, deadlineMs))
      const cancel = this.#clock.after(deadlineMs, late, 'holds')
      const settle = () => {
        cancel()
        this.#waiting = undefined
      }
      this.#waiting = {
        resolve: frame => {
          settle()
          resolve(frame)
        },
        reject: error => {
          settle()
          reject(error)
        },
      }
      this.channel.send(bytes)
    })
  }

  #received(frame: Frame): void {
    if (this.#waiting === undefined) throw violation('PMDK response', 'nobody asked for this message')
    this.#waiting.resolve(frame)
  }
}

const words: Readonly<Record<PmdkRequestType, string>> = {
  create: 'create the pool',
  open: 'open the pool',
  close: 'close the pool',
  setAttributes: 'set the attributes',
}

function commonOf({ poolSet, size, lanes, provider, inlineSize }: PoolRequest) {
  assert(provider !== 'tcp', 'PMDK knows verbs and sockets only')
  return { poolSet, poolSize: size, lanes, provider, bufferSize: inlineSize } as const
}

function grantOf(inBand: InBand, { inlineSize }: PoolRequest, attributes: PoolAttributes | undefined): Grant {
  return {
    address: undefined,
    durability: undefined,
    poolSize: undefined,
    secret: undefined,
    ...inBand,
    inlineSize,
    attributes,
  }
}

function lateError(type: PmdkRequestType, deadlineMs: number): RpmemError {
  return new RpmemError(
    'ERR_DEADLINE',
    `the target did not answer the request to ${words[type]} within ${deadlineMs} ms`,
    {
      facts: { request: type, deadlineMs },
    },
  )
}
