import type { DurabilityMethod, Memory } from '../fabric-native/index.js'
import type { Persisting, PersistOptions, Replica } from './replica.js'

/** What keeps the memory of a replica. `sync`, where there is one, makes a range durable as msync does, without blocking. */
export interface MemoryOwner {
  sync?(offset: number, length: number): Promise<void>
  close(): Promise<void>
}

/**
 * The master, or a local replica that follows it. The latter copies from the master's memory and never from the caller's
 * source: an overlapping move, or a source that changes meanwhile, must leave both alike.
 */
export class LocalReplica implements Replica {
  readonly name: string
  readonly kind = 'local'
  readonly memory: Memory
  readonly #master: Memory | undefined
  readonly #owner: MemoryOwner
  #shared = false

  /** `owner` is closed with the replica. Without `master` it is the master itself. */
  constructor(name: string, memory: Memory, owner: MemoryOwner, master?: Memory) {
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

  /**
   * Makes the range durable off the event loop, where that is a matter of waiting for a disk; undefined if it is done when it
   * returns.
   */
  startAway(offset: number, length: number, options: PersistOptions): Promise<void> | undefined {
    if (!this.waits) {
      this.start(offset, length, options)
      return undefined
    }
    if (this.#master) this.memory.copyFrom(this.#master, offset, length, unflushed)
    return this.#sync(offset, length)
  }

  /** To be made durable is to wait for a disk, and the wait can be elsewhere. */
  get waits(): boolean {
    return this.method === 'msync' && this.#owner.sync !== undefined && !this.#shared
  }

  /** Other threads would not hear of a failure that only this one was told: from now on the mapping itself is asked. */
  share(): void {
    this.#shared = true
  }

  async #sync(offset: number, length: number): Promise<void> {
    await this.#owner.sync?.(offset, length)
    // A page that was lost on the way is not in the file.
    if (this.memory.failure) throw this.memory.failure
  }

  flush(offset: number, length: number): void {
    if (this.#master) this.memory.copyFrom(this.#master, offset, length, undrained)
    else this.memory.flush(offset, length)
  }

  drainSync(): void {
    this.memory.drain()
  }

  async drain(): Promise<void> {
    if (this.waits && !this.memory.failure) await this.#sync(0, this.memory.size)
    // The memory keeps account of what was flushed; what is clean by now costs it nothing.
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
