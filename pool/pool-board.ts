import { assert } from '../core/index.js'

/** Longer than any disk takes for one page: whoever holds the lock then was terminated with it. */
const abandonedMs = 2000

/** Words of the board. */
const word = { lock: 0, generation: 1, threads: 2, suspect: 3, closed: 4, count: 5 } as const
/** Of the lock: free, taken, taken while others wait. */
const [free, taken, wanted] = [0, 1, 2]

/**
 * What the threads that share a pool have to agree on, in memory that all of them see: one lock for the maps and the record of
 * the pool, and a few facts that one thread tells all others. Nothing here is durable.
 */
export class PoolBoard {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array
  /** Of this thread, which may ask again while it holds the lock. */
  #depth = 0

  constructor(buffer = new SharedArrayBuffer(4 * word.count)) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer)
  }

  /** Runs alone among all threads of the pool; short work only. */
  locked<T>(work: () => T): T {
    if (this.#depth === 0) this.#lock()
    this.#depth++
    try {
      return work()
    } finally {
      if (--this.#depth === 0) this.#unlock()
    }
  }

  /** Counts the generations that have begun since the pool was opened: each thread sees whether it has read the newest. */
  get generation(): number {
    return Atomics.load(this.#words, word.generation)
  }

  /** Only while locked. */
  begunGeneration(): number {
    assert(this.#depth > 0, 'a generation begins under the lock')
    return Atomics.add(this.#words, word.generation, 1) + 1
  }

  /** Threads other than the one that opened the pool. */
  get threads(): number {
    return Atomics.load(this.#words, word.threads)
  }

  enter(): void {
    Atomics.add(this.#words, word.threads, 1)
  }

  leave(): void {
    Atomics.sub(this.#words, word.threads, 1)
  }

  /** A thread was terminated in the midst of a change: what the maps say may not be all. */
  get isSuspect(): boolean {
    return Atomics.load(this.#words, word.suspect) !== 0
  }

  /** The thread that opened the pool has closed it: nothing may be recorded any more. */
  get isClosed(): boolean {
    return Atomics.load(this.#words, word.closed) !== 0
  }

  close(): void {
    this.locked(() => Atomics.store(this.#words, word.closed, 1))
  }

  #lock(): void {
    if (Atomics.compareExchange(this.#words, word.lock, free, taken) === free) return
    while (Atomics.exchange(this.#words, word.lock, wanted) !== free) {
      if (Atomics.wait(this.#words, word.lock, wanted, abandonedMs) !== 'timed-out') continue
      Atomics.store(this.#words, word.suspect, 1)
      return
    }
  }

  #unlock(): void {
    if (Atomics.exchange(this.#words, word.lock, free) === wanted) Atomics.notify(this.#words, word.lock, 1)
  }
}
