import type { Service, ServiceCounters } from './fabric.js'
import type { NativeService } from './fabric-binding.js'

/** The target's loop on native threads; what it counted stays readable after close. */
export class NativeFabricService implements Service {
  readonly port: number
  readonly rkey: bigint
  readonly raddr: bigint
  readonly lanes: number
  readonly connected: Promise<void>
  readonly #service: NativeService
  #closing: Promise<void> | undefined

  constructor(service: NativeService, connected: Promise<void>) {
    this.port = service.port
    this.rkey = service.rkey
    this.raddr = service.raddr
    this.lanes = service.lanes
    this.connected = connected
    this.#service = service
  }

  counters(): ServiceCounters {
    return this.#service.counters()
  }

  close(): Promise<void> {
    this.#closing ??= this.#service.close()
    return this.#closing
  }
}
