import type { PoolAttributes } from '../core/index.js'
import type { DurabilityMethod, LanesToken } from '../fabric-native/index.js'
import type { Transport } from '../pool/index.js'
import type { Opened } from './remote-opening.js'
import type { RemotePoolOptions } from './remote-pool-options.js'

/** What a remote pool says about itself. */
export interface RemotePoolFacts {
  /** 'user@node2:22 remote.set' */
  readonly name: string
  readonly size: number
  readonly lanesRequested: number
  readonly transport: Transport
  readonly durability: DurabilityMethod | undefined
  readonly attributes: PoolAttributes | undefined
  /** Of calls that name none. */
  readonly deadlineMs: number
}

/** A remote pool on its way to another thread of this process; can be posted to a worker. Good as long as the pool is open. */
export interface RemotePoolToken extends RemotePoolFacts {
  readonly lanes: LanesToken
}

export function factsOf(opened: Opened, { deadlineMs = 3000 }: RemotePoolOptions): RemotePoolFacts {
  const { target, set, size, lanesRequested, grant, choice } = opened
  return {
    name: `${target.shell.name} ${set}`,
    size,
    lanesRequested,
    transport: { provider: choice.provider, persistMethod: grant.method, why: choice.why },
    durability: grant.durability ?? (grant.method === 'APM' ? 'dax' : undefined),
    attributes: grant.attributes,
    deadlineMs,
  }
}
