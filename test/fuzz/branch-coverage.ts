/**
 * Which branches were taken how often. A feature is a counter and the magnitude of its count, so that a loop that runs ten
 * times is another thing than one that runs once.
 */
export class BranchCoverage {
  readonly #counters: Uint8Array
  readonly #words: BigUint64Array
  /** For each counter the magnitudes seen, a bit each. */
  readonly #seen: Uint8Array
  #features = 0

  /** `counters` lie at the begin of a larger buffer. */
  constructor(counters: Uint8Array) {
    this.#counters = counters
    this.#words = new BigUint64Array(counters.buffer, 0, Math.ceil(counters.length / 8))
    this.#seen = new Uint8Array(this.#words.length * 8)
  }

  get features(): number {
    return this.#features
  }

  clear(): void {
    this.#counters.fill(0)
  }

  /** True if any run took a branch of this range. */
  everReached(first: number, count: number): boolean {
    return this.#seen.subarray(first, first + count).some(value => value > 0)
  }

  /** Features of the run since `clear` that no run before had; they count as seen from now on. */
  take(): number {
    let fresh = 0
    for (let word = 0; word < this.#words.length; word++) {
      if (this.#words[word] === 0n) continue
      for (let at = word * 8; at < word * 8 + 8; at++) fresh += this.#takeAt(at)
    }
    this.#features += fresh
    return fresh
  }

  #takeAt(at: number): number {
    const count = this.#counters[at] ?? 0
    const seen = this.#seen[at] ?? 0
    const bit = magnitudeBits[count] ?? 0
    if ((seen & bit) === bit) return 0
    this.#seen[at] = seen | bit
    return 1
  }
}

/** 0 has no bit; 1, 2, 3, 4–7, 8–15, 16–31, 32–63 and more have one each. */
const magnitudeBits = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count < 4) return [0, 1, 2, 4][count] ?? 0
  return 1 << Math.min(7, Math.floor(Math.log2(count)) + 1)
})
