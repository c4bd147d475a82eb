import { FanOut, type FanOutOptions, type Reached } from './fan-out.js'
import type { Assembly } from './pool-assembly.js'
import type { Replica } from './replica.js'
import type { Unpersisted } from './unpersisted.js'

/** A FanOut that tells a debug check what has become durable. */
export class CheckedFanOut extends FanOut {
  readonly #unpersisted: Unpersisted

  constructor(assembly: Assembly, onLost: (replica: Replica, error: unknown) => void, unpersisted: Unpersisted) {
    super(assembly, onLost)
    this.#unpersisted = unpersisted
  }

  override persistSync(at: number, length: number, options: FanOutOptions, stored = false): Reached {
    const range = this.#unpersisted.begin(at, length)
    const reached = super.persistSync(at, length, options, stored)
    range.succeeded()
    return reached
  }

  override async persist(at: number, length: number, options: FanOutOptions, stored = false): Promise<Reached> {
    const range = this.#unpersisted.begin(at, length)
    const reached = await super.persist(at, length, options, stored)
    range.succeeded()
    return reached
  }

  override flush(at: number, length: number, options: FanOutOptions, stored = false): void {
    super.flush(at, length, options, stored)
    this.#unpersisted.flushed(at, length, options.lane)
  }

  override drainSync(options: FanOutOptions): Reached {
    const flushes = this.#unpersisted.draining(options.lane)
    const reached = super.drainSync(options)
    flushes.succeeded()
    return reached
  }

  override async drain(options: FanOutOptions): Promise<Reached> {
    const flushes = this.#unpersisted.draining(options.lane)
    const reached = await super.drain(options)
    flushes.succeeded()
    return reached
  }
}
