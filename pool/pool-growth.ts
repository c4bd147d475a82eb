import { alignUp, MiB, pageSize, RpmemError } from '../core/index.js'
import { localReplicas, minimumPartSize, type PoolSet, withNextFiles } from '../poolset/index.js'
import type { PartPlace } from './layout.js'
import type { Part } from './part.js'
import { at } from './part-list.js'
import { placesOf } from './pool-places.js'
import type { ReplicaParts } from './replica-parts.js'
import { takeBack } from './taking-back.js'

/** What libpmemobj adds to a pool at once. */
export const defaultGrowth = 128 * MiB

/** Growth of a pool over directories: a file more in each replica, inside the address space that was reserved. */
export class PoolGrowth {
  /** Bytes, the header page included, up to which the pool can grow. */
  readonly reservation: number
  readonly #replicas: readonly ReplicaParts[]
  #set: PoolSet
  #growing: Promise<unknown> = Promise.resolve()
  #failure: unknown

  /** @param replicas in the order of the local replicas of the set, whose directories hold just their parts */
  constructor(set: PoolSet, replicas: readonly ReplicaParts[], reservation: number) {
    this.#set = set
    this.#replicas = replicas
    this.reservation = reservation
  }

  /** Bytes, the header page included. */
  get size(): number {
    return Math.min(...this.#replicas.map(({ size }) => size))
  }

  /**
   * @param length bytes, whole pages of at least 2 MiB; less is added where less is left of the reservation
   * @returns how many bytes the pool has grown by
   * ERR_RESERVATION: less than 2 MiB are left. Otherwise errors as createReplicaParts; the pool stays as it was.
   */
  grow(length: number): Promise<number> {
    const grown = this.#growing.then(() => this.#grow(length))
    this.#growing = grown.catch(() => {})
    return grown
  }

  async #grow(length: number): Promise<number> {
    // A piece that one replica has mapped and another has not cannot be taken back.
    if (this.#failure) throw this.#failure
    const before = this.size
    const left = this.reservation - before - ((this.reservation - before) % pageSize)
    if (left < minimumPartSize) throw exhausted(this.reservation, left)
    const size = Math.min(alignUp(length, pageSize), left)
    const next = withNextFiles(this.#set, size)
    // The master first: it is the master's lock that tells a growth under way from one that was cut short.
    const made = await this.#makeParts(localReplicas(next).map(replica => lastOf(placesOf(replica))))
    await this.#noteDevices(made)
    await this.#append(made, size)
    this.#set = next
    return this.size - before
  }

  async #makeParts(places: readonly PartPlace[]): Promise<Part[]> {
    const made: Part[] = []
    try {
      for (const [index, place] of places.entries()) {
        const part = await this.#replicas[index]?.makePart(place)
        if (part) made.push(part)
      }
      return made
    } catch (error) {
      throw await takeBack(error, removing(made))
    }
  }

  /** While all can still be taken back: a shutdown state that cannot be written is no growth. */
  async #noteDevices(made: readonly Part[]): Promise<void> {
    try {
      for (const [index, part] of made.entries()) await this.#replicas[index]?.noteDevices([part])
    } catch (error) {
      throw await takeBack(error, [...removing(made), ...this.#notingAgain()])
    }
  }

  /** The shutdown states are those of the parts that there are. */
  #notingAgain(): (() => Promise<void>)[] {
    return this.#replicas.map(replica => () => replica.noteDevices())
  }

  async #append(made: readonly Part[], size: number): Promise<void> {
    let appended = 0
    try {
      for (; appended < made.length; appended++) {
        const part = made[appended]
        if (part) this.#replicas[appended]?.append(part, size)
      }
    } catch (error) {
      if (appended > 0) this.#failure = error
      const mapped = made.slice(0, appended).map(part => () => part.unlink())
      throw await takeBack(error, [...mapped, ...removing(made.slice(appended)), ...this.#notingAgain()])
    }
  }
}

const removing = (made: readonly Part[]): (() => Promise<void>)[] =>
  [...made].reverse().flatMap(part => [() => part.unlink(), () => part.close()])

const lastOf = (places: readonly PartPlace[]): PartPlace => at(places, places.length - 1)

const exhausted = (reservation: number, left: number): RpmemError =>
  new RpmemError('ERR_RESERVATION', `the pool fills its reservation of ${reservation} bytes`, {
    facts: { reservation, left },
  })
