import type { PoolAttributes, ReplicaRecord } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import type { Memory } from '../../fabric-native/index.js'
import { blockSums } from '../../pool/block-sums.js'
import type {
  CreateRemoteRequest,
  Persisting,
  PersistOptions,
  RemoteConnector,
  RemoteReplica,
  RemoteRequest,
} from '../../pool/index.js'
import type { Keeping } from '../../pool/keeping.js'

/** A target that lives in this process: it keeps what it was sent, and answers, fails or keeps silent as it is told. */
export class ScriptedTarget {
  readonly node: string
  readonly calls: string[] = []
  /** Of the persists that had one. */
  readonly deadlines: number[] = []
  bytes = new Uint8Array(0)
  attributes: PoolAttributes | undefined
  /** What the next operations meet. */
  failing: Error | undefined
  refusing: Error | undefined
  /** What its copy has been through; a target that is told nothing has no record. */
  record: ReplicaRecord | undefined
  /** As PMDK's daemon: it knows of no records. */
  forgetful = false
  /** Called before each answer to a request about the copy; what it throws is the answer. */
  onKeeping: (call: string) => Promise<void> = async () => {}
  /** Called with what the target holds after each range that it got. */
  onReceive: (bytes: Uint8Array) => void = () => {}
  #held: (() => void)[] | undefined
  /** Of the connections, by those who share one. */
  readonly #lost = new Set<(error: Error) => void>()

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
    for (const listener of [...this.#lost]) listener(error)
  }

  connect(request: RemoteRequest): RemoteReplica {
    if (this.refusing) throw this.refusing
    const { memory } = request
    this.failing = undefined
    let heard: ((error: Error) => void) | undefined
    const replica: RemoteReplica = {
      name: `${request.node} ${request.set}`,
      kind: 'remote',
      method: 'volatile',
      transport: { provider: 'tcp', persistMethod: 'GPSPM', why: [] },
      failure: undefined,
      attributes: this.attributes,
      keeping: this.forgetful ? undefined : this.#keeping(),
      onLost: listener => {
        heard = listener
        this.#lost.add(listener)
      },
      start: (offset, length, options) => this.#start(memory, offset, length, options),
      flush: (offset, length) => this.#receive(`flush ${offset} ${length}`, memory, offset, length),
      drainSync: () => this.#receive('drain', memory, 0, 0),
      drain: () => this.#answer('drain'),
      share: () => this.node,
      close: async options => {
        if (heard) this.#lost.delete(heard)
        this.calls.push(options?.remove ? 'close and remove' : 'close')
      },
    }
    return replica
  }

  create(request: CreateRemoteRequest): RemoteReplica {
    this.calls.push(`create ${request.set} ${request.size}`)
    this.attributes = request.attributes
    this.record = undefined
    this.bytes = new Uint8Array(request.size)
    return this.connect(request)
  }

  #keeping(): Keeping {
    const ask = async (call: string) => {
      this.calls.push(call)
      await this.onKeeping(call)
      if (this.failing) throw this.failing
    }
    return {
      record: this.record,
      adopt: async record => {
        await ask(`adopt ${record.lineage.current.number}${record.syncing ? ' syncing' : ''}`)
        this.record = record
      },
      read: async (offset, into) => {
        await ask(`read ${offset} ${into.length}`)
        into.set(this.bytes.subarray(offset, offset + into.length))
      },
      sums: async (offset, length, blockSize) => {
        await ask(`sums ${offset} ${length}`)
        const copy = new BufferMemory(this.bytes.length)
        copy.copyIn(0, this.bytes)
        return blockSums(copy, offset, length, blockSize)
      },
    }
  }

  #start(memory: Memory, offset: number, length: number, options: PersistOptions): Persisting {
    const call = `${options.deep ? 'deep ' : ''}persist ${offset} ${length}${options.lane ? ` lane ${options.lane}` : ''}`
    this.#receive(call, memory, offset, length)
    if (options.deadlineMs !== undefined) this.deadlines.push(options.deadlineMs)
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
    this.onReceive(this.bytes)
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
