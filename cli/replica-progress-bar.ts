import type { Io } from './io.js'
import { Progress } from './progress.js'

/** What a replica has done of its way and has left, in bytes. */
export interface Way {
  readonly doneBytes: number
  readonly leftBytes: number
  readonly bytesPerSecond: number
}

/** One bar for the replicas that are at work at the same time; nothing in a pipe. */
export class ReplicaProgressBar {
  readonly #ways = new Map<string, Way>()
  readonly #progress: Progress

  constructor(io: Io, what: string) {
    this.#progress = new Progress(io, 0, performance.now(), what)
    this.#progress.update(0, performance.now(), { total: 0 })
  }

  /** Undefined: it has no way to go now. */
  show(replica: string, way: Way | undefined): void {
    if (way) this.#ways.set(replica, way)
    else this.#ways.delete(replica)
    let [done, left, rate] = [0, 0, 0]
    for (const { doneBytes, leftBytes, bytesPerSecond } of this.#ways.values()) {
      done += doneBytes
      left += leftBytes
      rate += bytesPerSecond
    }
    this.#progress.update(done, performance.now(), { total: done + left, bytesPerSecond: rate })
  }

  /** What comes next has a way of its own. */
  next(): void {
    this.#ways.clear()
    this.end()
  }

  end(): void {
    this.#progress.end()
  }
}
