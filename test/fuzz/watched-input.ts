/**
 * The input under test, in memory that both threads see: when the thread that runs it neither answers nor ends, the other one
 * can still tell on what.
 */
export class WatchedInput {
  readonly memory: SharedArrayBuffer
  readonly #counts: Int32Array
  readonly #bytes: Uint8Array

  constructor(memory = new SharedArrayBuffer(8 + 64 * 1024)) {
    this.memory = memory
    this.#counts = new Int32Array(memory, 0, 2)
    this.#bytes = new Uint8Array(memory, 8)
  }

  set(input: Uint8Array): void {
    const kept = input.subarray(0, this.#bytes.length)
    this.#bytes.set(kept)
    Atomics.store(this.#counts, 1, kept.length)
    Atomics.add(this.#counts, 0, 1)
  }

  /** Inputs so far, modulo 2^32. */
  get count(): number {
    return Atomics.load(this.#counts, 0)
  }

  get input(): Uint8Array {
    return this.#bytes.slice(0, Atomics.load(this.#counts, 1))
  }
}
