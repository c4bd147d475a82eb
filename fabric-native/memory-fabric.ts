import { RpmemError } from '../core/index.js'
import type { ConnectOptions, Fabric, Lanes, ListenOptions, ProviderName, ProviderReport, Service } from './fabric.js'
import { MemoryLanes } from './memory-lanes.js'
import type { MemoryNetwork } from './memory-network.js'
import { MemoryService } from './memory-service.js'

const maxLanes = 16

/** The Fabric of a simulation: both ends in one process, no library, time from the network's clock. Offers `tcp` only. */
export class MemoryFabric implements Fabric {
  readonly #network: MemoryNetwork

  constructor(network: MemoryNetwork) {
    this.#network = network
  }

  async probe(providers: readonly ProviderName[]): Promise<ProviderReport[]> {
    return providers.map(provider =>
      provider === 'tcp'
        ? {
            provider,
            offer: { provider, fabricName: 'memory', protocol: 0, protocolVersion: 1, maxLanes, maxMessageSize },
          }
        : { provider, reason: 'the in-memory fabric offers tcp only' },
    )
  }

  async listen(options: ListenOptions): Promise<Service> {
    checkLanes(options.lanes)
    return new MemoryService(this.#network, options, Math.min(options.lanes, maxLanes))
  }

  async connect(options: ConnectOptions): Promise<Lanes> {
    checkLanes(options.lanes)
    return new MemoryLanes(this.#network, this.#network.service(options.port), options)
  }
}

const maxMessageSize = 2 ** 30

function checkLanes(lanes: number): void {
  if (Number.isInteger(lanes) && lanes > 0) return
  throw new RpmemError('ERR_ARGUMENT', `lanes must be a whole number above zero, not ${lanes}`, { facts: { lanes } })
}
