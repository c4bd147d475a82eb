import type { DurabilityMethod, Memory } from '../fabric-native/index.js'
import type { Persisting, PersistOptions, Replica } from './replica.js'

/**
 * The master, or a local replica that follows it. A mirror copies from the master's memory and never from the caller's
 * source: an overlapping move, or a source that changes meanwhile, must leave both alike.
 */
export class LocalReplica implements Replica {
  readonly name: string
  readonly kind = 'local'
  readonly memory: Memory
  readonly #master: Memory | undefined
  readonly #owner: { close(): Promise<void> }

  /** `owner` is closed with the replica. Without `master` it is the master itself. */
  constructor(name: string, memory: Memory, owner: { close(): Promise<void> }, master?: Memory) {
    this.name = name
    this.memory = memory
    this.#owner = owner
    this.#master = master
  }

  get method(): DurabilityMethod {
    return this.memory.method
  }

  get failure(): Error | undefined {
    return this.memory.failure
  }

  /** Local work is done when it returns. */
  start(offset: number, length: number, options: PersistOptions): Persisting {
    if (this.#master) this.memory.copyFrom(this.#master, offset, length, options.deep ? unflushed : durable)
    if (options.deep) this.memory.deepPersist(offset, length)
    else if (!this.#master) this.memory.persist(offset, length)
    return done
  }

  flush(offset: number, length: number): void {
    if (this.#master) this.memory.copyFrom(this.#master, offset, length, undrained)
    else this.memory.flush(offset, length)
  }

  drainSync(): void {
    this.memory.drain()
  }

  async drain(): Promise<void> {
    this.memory.drain()
  }

  close(): Promise<void> {
    return this.#owner.close()
  }
}

const durable = {}
const unflushed = { noFlush: true }
const undrained = { noDrain: true }
const done: Persisting = { finishSync: () => {}, finish: () => Promise.resolve() }
