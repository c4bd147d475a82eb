import { type Clock, RpmemError, systemClock } from '../core/index.js'
import type { MemoryService } from './memory-service.js'

export interface NetworkOptions {
  readonly clock?: Clock
  /** One way, for every message; default 0: delivered in the next turn of the clock. */
  readonly delayMs?: number
}

/**
 * The wire of the in-memory fabric: ports with services behind them, and the faults that a simulation can switch on. All
 * time comes from the clock that was handed in.
 */
export class MemoryNetwork {
  readonly clock: Clock
  delayMs: number
  readonly #services = new Map<number, MemoryService>()
  #nextPort = 40_000

  constructor(options: NetworkOptions = {}) {
    this.clock = options.clock ?? systemClock
    this.delayMs = options.delayMs ?? 0
  }

  attach(service: MemoryService): number {
    const port = this.#nextPort++
    this.#services.set(port, service)
    return port
  }

  detach(port: number): void {
    this.#services.delete(port)
  }

  /** The service that listens on `port`, or ERR_PORT_UNREACHABLE. */
  service(port: number): MemoryService {
    const service = this.#services.get(port)
    if (service) return service
    throw new RpmemError('ERR_PORT_UNREACHABLE', `nothing listens on port ${port}`, { facts: { port } })
  }

  /** The service behind `port` neither receives nor answers until `resume`: SIGSTOP, or packets dropped both ways. */
  stop(port: number): void {
    this.service(port).stopped = true
  }

  resume(port: number): void {
    this.service(port).stopped = false
  }

  /** Every connection to `port` breaks, as when its process dies. */
  cut(port: number): void {
    this.service(port).cut()
  }
}
