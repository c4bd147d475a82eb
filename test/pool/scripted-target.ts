import type { PoolAttributes } from '../../core/index.js'
import type { Memory } from '../../fabric-native/index.js'
import type {
  CreateRemoteRequest,
  Persisting,
  PersistOptions,
  RemoteConnector,
  RemoteReplica,
  RemoteRequest,
} from '../../pool/index.js'

/** A target that lives in this process: it keeps what it was sent, and answers, fails or keeps silent as it is told. */
export class ScriptedTarget {
  readonly node: string
  readonly calls: string[] = []
  bytes = new Uint8Array(0)
  attributes: PoolAttributes | undefined
  /** What the next operations meet. */
  failing: Error | undefined
  refusing: Error | undefined
  #held: (() => void)[] | undefined
  #lost: ((error: Error) => void) | undefined

  constructor(node: string) {
    this.node = node
  }

  /** Answers wait until release(). */
  hold(): void {
    this.#held = []
  }

  release(): void {
    for (const answer of this.#held ?? []) answer()
    this.#held = undefined
  }

  /** As a watchdog would report it. */
  die(error: Error): void {
    this.failing = error
    this.#lost?.(error)
  }

  connect(request: RemoteRequest): RemoteReplica {
    if (this.refusing) throw this.refusing
    const { memory } = request
    const replica: RemoteReplica = {
      name: `${request.node} ${request.set}`,
      kind: 'remote',
      method: 'volatile',
      transport: { provider: 'tcp', persistMethod: 'GPSPM', why: [] },
      failure: undefined,
      attributes: this.attributes,
      onLost: listener => {
        this.#lost = listener
      },
      start: (offset, length, options) => this.#start(memory, offset, length, options),
      flush: (offset, length) => this.#receive(`flush ${offset} ${length}`, memory, offset, length),
      drainSync: () => this.#receive('drain', memory, 0, 0),
      drain: () => this.#answer('drain'),
      close: async options => {
        this.calls.push(options?.remove ? 'close and remove' : 'close')
      },
    }
    return replica
  }

  create(request: CreateRemoteRequest): RemoteReplica {
    this.calls.push(`create ${request.set} ${request.size}`)
    this.attributes = request.attributes
    this.bytes = new Uint8Array(request.size)
    return this.connect(request)
  }

  #start(memory: Memory, offset: number, length: number, options: PersistOptions): Persisting {
    const call = `${options.deep ? 'deep ' : ''}persist ${offset} ${length}${options.lane ? ` lane ${options.lane}` : ''}`
    this.#receive(call, memory, offset, length)
    return {
      finishSync: () => {
        if (this.failing) throw this.failing
      },
      finish: () => this.#answer(undefined),
    }
  }

  #receive(call: string, memory: Memory, offset: number, length: number): void {
    this.calls.push(call)
    if (this.failing) throw this.failing
    memory.read(offset, this.bytes.subarray(offset, offset + length))
  }

  async #answer(call: string | undefined): Promise<void> {
    if (call) this.calls.push(call)
    const held = this.#held
    if (held) await new Promise<void>(resolve => held.push(resolve))
    if (this.failing) throw this.failing
  }
}

/** Reaches these targets by their node. */
export function connectorTo(...targets: ScriptedTarget[]): RemoteConnector {
  const find = (node: string): ScriptedTarget => {
    const target = targets.find(one => one.node === node)
    if (!target) throw new Error(`no target ${node}`)
    return target
  }
  return {
    create: async request => find(request.node).create(request),
    open: async request => find(request.node).connect(request),
  }
}
