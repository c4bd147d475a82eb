/** Bucket i holds what took at most 2^i µs, the last everything longer: 1 µs … 8.4 s. */
const bucketCount = 25

/** How long operations took, in buckets that double. */
export interface LatencySnapshot {
  /** Bucket i: took at most 2^i µs and more than the bucket before allows; the last has no bound. */
  readonly counts: readonly number[]
  readonly sumUs: number
}

/** To record costs a few nanoseconds and no memory. */
export class LatencyHistogram {
  readonly #counts = new Array<number>(bucketCount).fill(0)
  #sumUs = 0
  #count = 0

  record(durationMs: number): void {
    const us = durationMs * 1000
    const bucket = bucketOf(us)
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#sumUs += us
    this.#count++
  }

  get count(): number {
    return this.#count
  }

  snapshot(): LatencySnapshot {
    return { counts: [...this.#counts], sumUs: this.#sumUs }
  }
}

/** Upper bound in microseconds; infinity for the last. */
export const bucketBoundUs = (bucket: number): number =>
  bucket >= bucketCount - 1 ? Number.POSITIVE_INFINITY : 2 ** bucket

function bucketOf(us: number): number {
  if (!(us > 1)) return 0
  return us > 2 ** (bucketCount - 2) ? bucketCount - 1 : 32 - Math.clz32(Math.ceil(us) - 1)
}
