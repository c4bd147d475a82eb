import { assert, type Clock, type PoolAttributes, type ReplicaRecord, RpmemError } from '../core/index.js'
import type { ProviderReport } from '../fabric-native/index.js'
import {
  acceptHello,
  type ControlMessage,
  type ControlType,
  controlShape,
  decodeControl,
  encodeControl,
  errorOf,
  type Frame,
  promptPing,
  violation,
} from '../wire/index.js'
import type { ControlChannel } from './control-channel.js'
import { DialectSession } from './dialect-session.js'
import type { Grant, PoolRequest, Session, SessionDeadlines } from './session.js'

interface Waiting {
  readonly answer: ControlType
  readonly resolve: (message: ControlMessage) => void
  readonly reject: (error: Error) => void
}

type Request = Extract<
  ControlMessage,
  { type: 'create' | 'open' | 'setAttributes' | 'adopt' | 'sums' | 'close' | 'ping' }
>
type Unnumbered<R> = R extends Request ? Omit<R, 'id'> : never

/** The conversation of the rpmem dialect (docs/protocol.md). Requests may overlap; answers find them by their number. */
export class RpmemSession extends DialectSession implements Session {
  readonly dialect = 'rpmem'
  readonly #clock: Clock
  readonly #deadlines: SessionDeadlines
  readonly #waiting = new Map<number, Waiting>()
  #hello: Waiting | undefined
  #offers: readonly ProviderReport[] = []
  #software = ''
  #capabilities: readonly string[] = []
  #nextId = 1

  private constructor(channel: ControlChannel, clock: Clock, deadlines: SessionDeadlines) {
    super(channel)
    this.#clock = clock
    this.#deadlines = deadlines
  }

  /** Negotiates version and capabilities. */
  static async start(channel: ControlChannel, clock: Clock, deadlines: SessionDeadlines): Promise<RpmemSession> {
    const session = new RpmemSession(channel, clock, deadlines)
    try {
      await session.#negotiate()
      return session
    } catch (error) {
      channel.kill()
      throw error
    }
  }

  get offers(): readonly ProviderReport[] {
    return this.#offers
  }

  get software(): string {
    return this.#software
  }

  get promptPings(): boolean {
    return this.#capabilities.includes(promptPing)
  }

  async create(request: PoolRequest, attributes: PoolAttributes | undefined): Promise<Grant> {
    return grantOf(
      await this.#ask({ type: 'create', ...claiming(request), attributes }, 'ready', this.#deadlines.openMs),
    )
  }

  async open(request: PoolRequest): Promise<Grant> {
    return grantOf(await this.#ask({ type: 'open', ...claiming(request) }, 'ready', this.#deadlines.openMs))
  }

  async setAttributes(attributes: PoolAttributes | undefined): Promise<void> {
    await this.#ask({ type: 'setAttributes', attributes }, 'done', this.#deadlines.answerMs)
  }

  async adopt(record: ReplicaRecord): Promise<void> {
    await this.#ask({ type: 'adopt', record }, 'done', this.#deadlines.answerMs)
  }

  async sums(offset: number, length: number, blockSize: number): Promise<Uint8Array> {
    const answer = await this.#ask({ type: 'sums', offset, length, blockSize }, 'blockSums', this.#deadlines.answerMs)
    assert(answer.type === 'blockSums', 'the answer has the type that was asked for')
    return answer.sums
  }

  async ping(): Promise<void> {
    await this.#ask({ type: 'ping' }, 'pong', undefined)
  }

  protected override async sayGoodbye(remove: boolean): Promise<void> {
    await this.#ask({ type: 'close', remove }, 'done', this.#deadlines.openMs)
  }

  protected override rejectWaiting(error: Error): void {
    this.#hello?.reject(error)
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }

  async #negotiate(): Promise<void> {
    const hello = await this.#answer('hello', this.#deadlines.answerMs, waiting => {
      this.#hello = waiting
      this.channel.serve(
        controlShape,
        frame => this.#received(frame),
        error => this.end(error),
      )
    })
    assert(hello.type === 'hello', 'the answer has the type that was asked for')
    this.#software = hello.software
    this.#offers = hello.offers
    const accept = acceptHello(hello)
    this.#capabilities = accept.capabilities
    this.channel.send(encodeControl(accept))
  }

  async #ask(
    request: Unnumbered<Request>,
    answer: ControlType,
    deadlineMs: number | undefined,
  ): Promise<ControlMessage> {
    if (this.lost) throw this.lost
    const id = this.#nextId++
    return this.#answer(
      answer,
      deadlineMs,
      waiting => {
        this.#waiting.set(id, waiting)
        this.channel.send(encodeControl({ ...request, id } as Request))
      },
      () => this.#waiting.delete(id),
    )
  }

  /** One promise for an answer. Without a deadline the wait does not hold the process: the watchdog asks so. */
  #answer(
    answer: ControlType,
    deadlineMs: number | undefined,
    begin: (waiting: Waiting) => void,
    forget: () => void = () => {},
  ): Promise<ControlMessage> {
    return new Promise<ControlMessage>((resolve, reject) => {
      const late = () => reject(lateError(answer, deadlineMs))
      const cancel = deadlineMs === undefined ? () => {} : this.#clock.after(deadlineMs, late, 'holds')
      begin({
        answer,
        resolve: message => {
          cancel()
          resolve(message)
        },
        reject: error => {
          cancel()
          reject(error)
        },
      })
    }).finally(forget)
  }

  #received(frame: Frame): void {
    const message = decodeControl(frame)
    const waiting = this.#take(message)
    if (message.type === 'failure') {
      this.#failed(message, waiting)
    } else if (waiting === undefined) {
      // The answer to a request that was given up is late, not wrong.
      const late = 'id' in message && message.id < this.#nextId
      if (!late) throw violation(message.type, 'nobody asked for this message')
    } else if (waiting.answer === message.type) {
      waiting.resolve(message)
    } else {
      const error = violation(message.type, `the answer should be ${waiting.answer}`)
      waiting.reject(error)
      throw error
    }
  }

  #take(message: ControlMessage): Waiting | undefined {
    const id = 'id' in message ? message.id : 0
    if (id === 0) {
      const hello = this.#hello
      this.#hello = undefined
      return hello
    }
    return this.#waiting.get(id)
  }

  #failed(message: ControlMessage<'failure'>, waiting: Waiting | undefined): void {
    const error = errorOf(message)
    if (waiting) waiting.reject(error)
    else if (message.id === 0) this.channel.fail(error)
  }
}

function lateError(answer: ControlType, deadlineMs: number | undefined): RpmemError {
  return new RpmemError('ERR_DEADLINE', `the target did not send ${answer} within ${deadlineMs} ms`, {
    facts: { answer, deadlineMs },
  })
}

const claiming = (request: PoolRequest) => ({ ...request, claim: request.claim })

function grantOf(message: ControlMessage): Grant {
  assert(message.type === 'ready', 'the answer has the type that was asked for')
  return message
}
