import { hostname } from 'node:os'
import {
  assert,
  descend,
  type Generation,
  type GenerationReason,
  type Lineage,
  maxAncestors,
  type Random,
} from '../core/index.js'
import type { PoolBoard } from './pool-board.js'
import type { RecordStore } from './record-file.js'

export interface LineagePlaces {
  readonly store: RecordStore
  readonly random: Random
  readonly board: PoolBoard
}

/** What the master has been through, and the record that says so. A change is durable before it is told to anybody. */
export class PoolLineage {
  readonly #store: RecordStore
  readonly #random: Random
  readonly #board: PoolBoard
  readonly #stoppedBadly: boolean
  readonly #listeners: (() => void)[] = []
  #lineage: Lineage
  /** As the board counts them: of the generation that this thread knows. */
  #generation: number

  private constructor(places: LineagePlaces, lineage: Lineage, stoppedBadly: boolean) {
    this.#store = places.store
    this.#random = places.random
    this.#board = places.board
    this.#generation = places.board.generation
    this.#lineage = lineage
    this.#stoppedBadly = stoppedBadly
  }

  /** Of a new pool. */
  static create(places: LineagePlaces): PoolLineage {
    const lineage = new PoolLineage(places, newLineage(places.random, 'created'), false)
    lineage.#write(lineage.#lineage, false)
    return lineage
  }

  /** Of a pool that exists; one without a record gets its first, and counts as stopped badly. ERR_RECORD if it is damaged. */
  static open(places: LineagePlaces): PoolLineage {
    const record = places.store.read()
    const stoppedBadly = !record?.closed || record.touched
    const lineage = new PoolLineage(places, record?.lineage ?? newLineage(places.random, 'created'), stoppedBadly)
    lineage.#write(lineage.#lineage, false)
    return lineage
  }

  /** As another thread has opened or created it. */
  static attach(places: LineagePlaces): PoolLineage {
    const record = places.store.read()
    assert(record, 'a pool that is open has a record')
    return new PoolLineage(places, record.lineage, false)
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

  /** Learns of what other threads have begun. Under the lock of the pool. */
  refresh(): void {
    const { generation } = this.#board
    if (generation === this.#generation) return
    const record = this.#store.read()
    assert(record, 'a pool that is open has a record')
    this.#lineage = record.lineage
    this.#generation = generation
    this.#tell()
  }

  /**
   * From here on a replica that is out of step can be told from the others. Durable when it returns. Under the lock of the
   * pool, after a refresh.
   */
  begin(why: GenerationReason): void {
    const next = descend(this.#lineage, newGeneration(this.#random, why))
    this.#write(next, false)
    this.#lineage = next
    this.#generation = this.#board.begunGeneration()
    this.#tell()
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
    this.#board.locked(() => {
      this.#write(lineage, false)
      this.#lineage = lineage
      this.#generation = this.#board.begunGeneration()
      this.#tell()
    })
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** After the last persist has settled. With other threads in the midst of theirs it is as if the program had crashed. */
  close(): void {
    this.#board.locked(() => {
      this.refresh()
      this.#write(this.#lineage, this.#board.threads === 0 && !this.#board.isSuspect)
    })
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  #write(lineage: Lineage, closed: boolean): void {
    this.#store.write({ lineage, closed, syncing: false, touched: false })
  }
}

/**
 * A copy that is written to without the replicas that it may have goes its own way from here on: they are told from it, and are
 * compared with it as a whole when they meet again. Nothing happens to a copy that has no record.
 */
export function goAlone(store: RecordStore, random: Random): void {
  const record = store.read()
  if (!record || record.touched) return
  const lineage = descend(record.lineage, newGeneration(random, 'replica lost'))
  store.write({ ...record, lineage, touched: true })
}

const hexId = (random: Random): string => Buffer.from(random.bytes(16)).toString('hex')

/** Of a pool of which nothing is known. */
export const newLineage = (random: Random, why: GenerationReason): Lineage => ({
  pool: hexId(random),
  current: { ...newGeneration(random, why), number: 1 },
  ancestors: [],
})

export const newGeneration = (random: Random, why: GenerationReason): Omit<Generation, 'number'> => ({
  id: hexId(random),
  since: new Date().toISOString(),
  writer: `${hostname()} ${process.pid}`,
  why,
})
