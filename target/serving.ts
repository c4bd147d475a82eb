import { hasCode, KiB, type PoolAttributes, type ReplicaRecord, RpmemError } from '../core/index.js'
import type { ListenOptions, PersistMethod, ProviderName, Service } from '../fabric-native/index.js'
import { choosePersistMethod, type PersistChoice } from './persist-policy.js'
import type { StoredPool, TargetNode } from './target-node.js'

export interface ServeRequest {
  readonly kind: 'create' | 'open'
  readonly poolSet: string
  /** Bytes to be served, from pool offset 0. */
  readonly size: number
  readonly lanes: number
  readonly provider: ProviderName
  readonly inlineSize: number
  /** Of a pool to be created. */
  readonly attributes?: PoolAttributes | undefined
  /** What the initiator's copy has been through, if it knows. */
  readonly claim?: ReplicaRecord | undefined
}

/** How a lane shows that it belongs to this session. */
export type Admission =
  | { readonly dialect: 'rpmem'; readonly tokens: (lanes: number) => readonly Uint8Array[] }
  | { readonly dialect: 'pmdk'; readonly peerAddress: string }

/** More than any provider grants; keeps the tokens of an absurd request from being made. */
const maxLanes = 1024
/** Receive buffers take this times lanes times messages in flight; our initiator asks for 64 KiB, PMDK's for 8 KiB. */
export const maxInlineSize = 256 * KiB
/** The last lane may be up at the initiator a moment before this end has taken note of it. */
const connectedGraceMs = 500

type InBand = 'connecting' | 'connected' | RpmemError

/** One pool in service: the stored pool and the lanes that write to it. It ends by `end`, exactly once. */
export class Serving {
  readonly pool: StoredPool
  readonly service: Service
  /** Of this copy, as it was before the session. */
  readonly record: ReplicaRecord | undefined
  readonly #choice: PersistChoice
  readonly #created: boolean
  /** Bytes served, from pool offset 0. */
  readonly size: number
  readonly #node: TargetNode
  readonly #settled: Promise<void>
  #inBand: InBand = 'connecting'

  private constructor(
    node: TargetNode,
    created: boolean,
    pool: StoredPool,
    service: Service,
    choice: PersistChoice,
    record: ReplicaRecord | undefined,
    size: number,
  ) {
    this.size = size
    this.record = record
    this.#node = node
    this.#created = created
    this.pool = pool
    this.service = service
    this.#choice = choice
    this.#settled = service.connected.then(
      () => this.#connected(),
      (error: unknown) => this.#failed(error),
    )
  }

  /** Creates or opens the pool and listens for its lanes. What a failed attempt has created is gone again. */
  static async start(node: TargetNode, request: ServeRequest, admission: Admission): Promise<Serving> {
    const created = request.kind === 'create'
    const pool = created
      ? await node.store.create(request.poolSet, request.size, request.attributes)
      : await node.store.open(request.poolSet, request.size)
    try {
      const record = await receive(pool, created, request)
      const { apmEnabled } = node
      const { dialect } = admission
      const durability = pool.memory.method
      const choice = choosePersistMethod({ apmEnabled, durability, dialect, provider: request.provider })
      const service = await listen(node, await listenOptions(node, request, admission, pool, choice.method))
      const serving = new Serving(node, created, pool, service, choice, record, request.size)
      serving.#announce(request)
      return serving
    } catch (error) {
      await undo(node, pool, created)
      throw error
    }
  }

  get method(): PersistMethod {
    return this.#choice.method
  }

  /** Why the lanes could not be connected; undefined while they still may be, and once they are. */
  get lanesFailure(): RpmemError | undefined {
    return typeof this.#inBand === 'string' ? undefined : this.#inBand
  }

  /** Undefined once every lane is connected. */
  get inBandFailure(): RpmemError | undefined {
    if (this.#inBand !== 'connecting') return this.lanesFailure
    return new RpmemError('ERR_IN_BAND_REFUSED', 'the lanes were never connected', {
      facts: { lanes: this.service.lanes, connected: this.service.counters().activeLanes },
    })
  }

  /** Gives the last lane the moment that it may still need. */
  async awaitLanes(): Promise<void> {
    await new Promise<void>(resolve => {
      const cancel = this.#node.clock.after(connectedGraceMs, resolve)
      void this.#settled.then(cancel).then(resolve)
    })
  }

  /** Stops the lanes, then closes the pool; `remove` unlinks the parts too, but only of a pool that this session created. */
  async end(options: { readonly remove: boolean }): Promise<void> {
    const { messages, bytes, rejectedConnections } = this.service.counters()
    await this.service.close()
    if (options.remove && this.#created) await this.pool.remove()
    else await this.pool.close()
    const removed = options.remove && this.#created ? ' and removed' : ''
    this.#node.log.write(
      'info',
      `pool closed${removed}: ${messages} messages, ${bytes} bytes, ${rejectedConnections} connections rejected`,
    )
  }

  #announce(request: ServeRequest): void {
    const { log } = this.#node
    log.write(
      'notice',
      `${request.kind} '${request.poolSet}': ${request.size} of ${this.pool.size} bytes, ${this.service.lanes} of ` +
        `${request.lanes} lanes over ${request.provider} on port ${this.service.port}, ` +
        `${this.method} (${this.#choice.why}), durable by ${this.pool.memory.method}`,
    )
    if (this.pool.memory.method === 'volatile')
      log.write('warn', `'${request.poolSet}' lies in volatile memory: nothing written to it survives a loss of power`)
  }

  #connected(): void {
    this.#inBand = 'connected'
    this.#node.log.write('info', `${this.service.lanes} lanes are connected`)
  }

  #failed(error: unknown): void {
    if (this.#inBand !== 'connecting') return
    this.#inBand = RpmemError.wrap('ERR_IN_BAND_REFUSED', 'not every lane was connected', error)
    this.#node.log.write('warn', `not every lane was connected: ${error instanceof Error ? error.message : error}`)
  }
}

/** This copy's record. A copy that the initiator has left behind must not be written to by it: so a fenced writer is stopped. */
async function receive(
  pool: StoredPool,
  created: boolean,
  { poolSet, claim }: ServeRequest,
): Promise<ReplicaRecord | undefined> {
  if (created) pool.record.remove()
  const record = pool.record.read()
  if (record && claim) {
    // Not sooner: the greeting would wait for it.
    const { admit } = await import('../pool/index.js')
    admit(poolSet, claim, record)
  }
  if (record && !claim && !record.touched) pool.record.write({ ...record, touched: true })
  return record
}

async function listenOptions(
  node: TargetNode,
  request: ServeRequest,
  admission: Admission,
  pool: StoredPool,
  method: PersistMethod,
): Promise<ListenOptions> {
  const { provider } = request
  const most = await lanesOffered(node, provider)
  const lanes = Math.min(request.lanes, most)
  return {
    provider,
    address: serverAddress(node),
    memory: pool.memory,
    size: request.size,
    lanes,
    method,
    inlineSize: request.inlineSize,
    dialect: admission.dialect,
    ...(admission.dialect === 'rpmem' ? { tokens: admission.tokens(lanes) } : { peerAddress: admission.peerAddress }),
    ...(node.threads > 0 ? { threads: node.threads } : {}),
  }
}

/** The calls that fail for an address that is not this node's, each provider in its own way and with its own errno. */
const listeningCalls = ['fi_passive_ep', 'fi_listen']

async function listen(node: TargetNode, options: ListenOptions): Promise<Service> {
  try {
    return await node.fabric.listen(options)
  } catch (error) {
    if (!hasCode(error, 'ERR_FABRIC') || !listeningCalls.includes(String(error.facts.call))) throw error
    const { address } = options
    throw RpmemError.wrap('ERR_PORT_UNREACHABLE', `the target cannot listen on its address ${address}`, error, {
      facts: { address, ...error.facts },
      hint: 'If SSH goes through address translation or forwarding: the lanes need an address that the target has itself.',
    })
  }
}

async function lanesOffered(node: TargetNode, provider: ProviderName): Promise<number> {
  const report = (await node.offers).find(candidate => candidate.provider === provider)
  if (report?.offer) return Math.min(report.offer.maxLanes, maxLanes)
  const reason = report?.reason ?? 'it was not looked for'
  throw new RpmemError('ERR_NO_PROVIDER', `the provider ${provider} cannot be used on this target: ${reason}`, {
    facts: { provider, reason },
  })
}

function serverAddress(node: TargetNode): string {
  if (node.connection) return node.connection.serverAddress
  throw new RpmemError('ERR_NO_PROVIDER', 'the target does not know the address on which it was reached', {
    facts: { variable: 'SSH_CONNECTION' },
    hint: 'Start rpmemd through sshd, which sets SSH_CONNECTION; check that the remote command passes it on.',
  })
}

async function undo(node: TargetNode, pool: StoredPool, created: boolean): Promise<void> {
  try {
    await (created ? pool.remove() : pool.close())
  } catch (error) {
    node.log.write('err', `what was created could not be removed: ${error instanceof Error ? error.message : error}`)
  }
}
