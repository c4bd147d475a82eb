import { assert } from '../../core/index.js'
import type { Pool } from '../../initiator/index.js'

const slotSize = 64

/** Persists records, each in a slot of its own, and keeps book of what was confirmed, what failed and how long it took. */
export class Load {
  readonly confirmed: number[] = []
  readonly failures: unknown[] = []
  /** Milliseconds of the slowest call. */
  slowestMs = 0
  readonly #pool: Pool
  #next = 0

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** Blocking, one after the other, until `enough` calls have failed. Never gives the event loop a turn. */
  untilFailureSync(enough: number): void {
    while (this.failures.length < enough) {
      const slot = this.#store()
      const start = performance.now()
      try {
        this.#pool.persistSync(slot * slotSize, slotSize)
        this.confirmed.push(slot)
      } catch (error) {
        this.failures.push(error)
      }
      this.#took(start)
    }
  }

  /** `width` at a time, until `enough` calls have failed; resolves when every call has settled. */
  async untilFailure(width: number, enough: number): Promise<void> {
    const worker = async () => {
      while (this.failures.length < enough) await this.persist()
    }
    await Promise.all(Array.from({ length: width }, worker))
  }

  /** One record through the promise form. */
  async persist(): Promise<void> {
    const slot = this.#store()
    const start = performance.now()
    try {
      await this.#pool.persist(slot * slotSize, slotSize)
      this.confirmed.push(slot)
    } catch (error) {
      this.failures.push(error)
    }
    this.#took(start)
  }

  /** The first confirmed record that these bytes of a replica do not hold. */
  missingFrom(replica: Uint8Array): number | undefined {
    return this.confirmed.find(slot => !Buffer.from(record(slot)).equals(slotOf(replica, slot)))
  }

  #store(): number {
    const slot = this.#next++
    assert((slot + 1) * slotSize <= this.#pool.size, 'the pool has a slot for every record')
    this.#pool.view(slot * slotSize, slotSize).set(record(slot))
    return slot
  }

  #took(start: number): void {
    this.slowestMs = Math.max(this.slowestMs, performance.now() - start)
  }
}

const record = (slot: number): Uint8Array =>
  new Uint8Array(new BigUint64Array(slotSize / 8).fill(BigInt(slot + 1)).buffer)

const slotOf = (replica: Uint8Array, slot: number): Uint8Array =>
  replica.subarray(slot * slotSize, (slot + 1) * slotSize)
