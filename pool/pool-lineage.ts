import { hostname } from 'node:os'
import {
  descend,
  type Generation,
  type GenerationReason,
  type Lineage,
  maxAncestors,
  type Random,
} from '../core/index.js'
import type { RecordStore } from './record-file.js'

/** What the master has been through, and the record that says so. A change is durable before it is told to anybody. */
export class PoolLineage {
  readonly #store: RecordStore
  readonly #random: Random
  readonly #stoppedBadly: boolean
  readonly #listeners: (() => void)[] = []
  #lineage: Lineage

  private constructor(store: RecordStore, random: Random, lineage: Lineage, stoppedBadly: boolean) {
    this.#store = store
    this.#random = random
    this.#lineage = lineage
    this.#stoppedBadly = stoppedBadly
    this.#write(lineage, false)
  }

  /** Of a new pool. */
  static create(store: RecordStore, random: Random): PoolLineage {
    const pool = hexId(random)
    return new PoolLineage(
      store,
      random,
      { pool, current: { ...newGeneration(random, 'created'), number: 1 }, ancestors: [] },
      false,
    )
  }

  /** Of a pool that exists; one without a record gets its first, and counts as stopped badly. ERR_RECORD if it is damaged. */
  static open(store: RecordStore, random: Random): PoolLineage {
    const record = store.read()
    if (!record) {
      const { lineage } = PoolLineage.create(store, random)
      return new PoolLineage(store, random, lineage, true)
    }
    return new PoolLineage(store, random, record.lineage, !record.closed)
  }

  get lineage(): Lineage {
    return this.#lineage
  }

  get current(): Generation {
    return this.#lineage.current
  }

  /** The writer before this one crashed: the copies may differ in what was never acknowledged. */
  get stoppedBadly(): boolean {
    return this.#stoppedBadly
  }

  /** From here on a replica that is out of step can be told from the others. Durable when it returns. */
  begin(why: GenerationReason): void {
    const next = descend(this.#lineage, newGeneration(this.#random, why))
    this.#write(next, false)
    this.#lineage = next
    for (const listener of this.#listeners) listener()
  }

  /** The lineage that has left both behind: what this copy was, and that generation of another. Nothing is changed. */
  over(other: Generation): Lineage {
    const { pool, current, ancestors } = this.#lineage
    const number = Math.max(current.number, other.number) + 1
    const next = { ...newGeneration(this.#random, 'resolved'), number }
    return { pool, current: next, ancestors: [current, other, ...ancestors].slice(0, maxAncestors) }
  }

  /** Goes on as this lineage, which `over` has made. Durable when it returns. */
  resolve(lineage: Lineage): void {
    this.#write(lineage, false)
    this.#lineage = lineage
    for (const listener of this.#listeners) listener()
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** After the last persist has settled. */
  close(): void {
    this.#write(this.#lineage, true)
  }

  #write(lineage: Lineage, closed: boolean): void {
    this.#store.write({ lineage, closed, syncing: false, touched: false })
  }
}

const hexId = (random: Random): string => Buffer.from(random.bytes(16)).toString('hex')

export const newGeneration = (random: Random, why: GenerationReason): Omit<Generation, 'number'> => ({
  id: hexId(random),
  since: new Date().toISOString(),
  writer: `${hostname()} ${process.pid}`,
  why,
})
