import { timingSafeEqual } from 'node:crypto'
import { hasCode, RpmemError } from '../core/index.js'
import type { ListenOptions, Service, ServiceCounters } from './fabric.js'
import type { MemoryLanes } from './memory-lanes.js'
import type { MemoryNetwork } from './memory-network.js'

/** What a range operation asks of the target. */
export interface Delivery {
  readonly offset: number
  readonly data: Uint8Array
  readonly deep: boolean
}

/** The target's side of the in-memory fabric. */
export class MemoryService implements Service {
  readonly port: number
  readonly rkey = 1n
  readonly raddr = 0n
  readonly lanes: number
  readonly connected: Promise<void>
  stopped = false
  readonly #network: MemoryNetwork
  readonly #options: ListenOptions
  readonly #clients = new Set<MemoryLanes>()
  readonly #tokens: (Uint8Array | undefined)[]
  #settle: { resolve: () => void; reject: (error: Error) => void } = { resolve: () => {}, reject: () => {} }
  #cancelTimeout: () => void
  #active = 0
  #messages = 0
  #bytes = 0
  #rejected = 0
  #closed = false

  constructor(network: MemoryNetwork, options: ListenOptions, lanes: number) {
    this.#network = network
    this.#options = options
    this.lanes = lanes
    this.#tokens = [...(options.tokens ?? [])]
    this.port = network.attach(this)
    this.connected = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.connected.catch(() => {})
    this.#cancelTimeout = network.clock.after(options.acceptTimeoutMs ?? 30_000, () => this.#timeOut(), 'holds')
  }

  /** Takes all lanes of one initiator at once; a wrong token or a lane too many is refused. */
  accept(client: MemoryLanes, tokens: readonly Uint8Array[] | undefined): void {
    const refused = this.#active + client.count > this.lanes || !this.#authentic(client.count, tokens)
    if (refused) {
      this.#rejected++
      throw new RpmemError('ERR_IN_BAND_REFUSED', 'the target refused the connection', { facts: { port: this.port } })
    }
    this.#clients.add(client)
    this.#active += client.count
    if (this.#active < this.lanes) return
    this.#cancelTimeout()
    this.#settle.resolve()
  }

  /** Makes the data durable; throws ERR_TARGET_STORAGE as the initiator will see it. */
  deliver({ offset, data, deep }: Delivery): void {
    const { memory } = this.#options
    this.#messages++
    this.#bytes += data.length
    try {
      memory.copyIn(offset, data)
      if (deep) memory.deepPersist(offset, data.length)
    } catch (error) {
      throw hasCode(error, 'ERR_RANGE') ? error : storageError(error)
    }
  }

  read(offset: number, into: Uint8Array): void {
    this.#options.memory.read(offset, into)
  }

  /** Drops every connection without a farewell. */
  cut(): void {
    const clients = [...this.#clients]
    this.#clients.clear()
    this.#active = 0
    for (const client of clients) client.lose(new Error('the connection was cut'))
  }

  leave(client: MemoryLanes): void {
    if (this.#clients.delete(client)) this.#active -= client.count
  }

  counters(): ServiceCounters {
    return {
      messages: this.#messages,
      bytes: this.#bytes,
      rejectedConnections: this.#rejected,
      activeLanes: this.#active,
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#cancelTimeout()
    this.#network.detach(this.port)
    this.#settle.reject(new RpmemError('ERR_CLOSED', 'the service was closed'))
    this.cut()
  }

  #authentic(lanes: number, tokens: readonly Uint8Array[] | undefined): boolean {
    if (!this.#options.tokens) return true
    const offset = this.#active
    for (let lane = 0; lane < lanes; lane++) {
      const expected = this.#tokens[offset + lane]
      const given = tokens?.[offset + lane]
      if (!expected || !given || expected.length !== given.length || !timingSafeEqual(expected, given)) return false
    }
    for (let lane = 0; lane < lanes; lane++) this.#tokens[offset + lane] = undefined
    return true
  }

  #timeOut(): void {
    const facts = { lanes: this.lanes, connected: this.#active }
    this.#settle.reject(new RpmemError('ERR_DEADLINE', 'not every lane was connected in time', { facts }))
  }
}

function storageError(cause: unknown): RpmemError {
  return RpmemError.wrap('ERR_TARGET_STORAGE', 'the target could not make the range durable', cause)
}
