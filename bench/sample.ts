/** Durations of one scenario, in microseconds; percentiles are exact, from the sorted values. */
export class Sample {
  readonly #us: Float64Array
  #count = 0

  constructor(capacity: number) {
    this.#us = new Float64Array(capacity)
  }

  add(us: number): void {
    this.#us[this.#count++] = us
  }

  get count(): number {
    return this.#count
  }

  /** In no particular order. */
  get us(): Float64Array {
    return this.#us.subarray(0, this.#count)
  }

  get meanUs(): number {
    return this.us.reduce((sum, us) => sum + us, 0) / this.#count
  }

  /** Fraction 0.5 is the median. */
  percentileUs(fraction: number): number {
    const sorted = this.us.sort()
    return sorted[Math.min(this.#count - 1, Math.floor(this.#count * fraction))] ?? Number.NaN
  }
}

/** Runs `rounds` times after a warm-up of a tenth and keeps each duration. */
export function sampleSync(rounds: number, once: (round: number) => void): Sample {
  const warmup = Math.ceil(rounds / 10)
  for (let round = 0; round < warmup; round++) once(round)
  const sample = new Sample(rounds)
  for (let round = 0; round < rounds; round++) {
    const begin = performance.now()
    once(round + warmup)
    sample.add((performance.now() - begin) * 1000)
  }
  return sample
}

export interface Flight {
  readonly sample: Sample
  readonly seconds: number
}

/** Keeps `inflight` operations under way until `rounds` are done; each is timed from its start to its settling. */
export async function sampleInFlight(
  rounds: number,
  inflight: number,
  once: (round: number) => Promise<unknown>,
): Promise<Flight> {
  const sample = new Sample(rounds)
  let next = 0
  const chain = async () => {
    while (next < rounds) {
      const round = next++
      const begin = performance.now()
      await once(round)
      sample.add((performance.now() - begin) * 1000)
    }
  }
  const begin = performance.now()
  await Promise.all(Array.from({ length: inflight }, chain))
  return { sample, seconds: (performance.now() - begin) / 1000 }
}
