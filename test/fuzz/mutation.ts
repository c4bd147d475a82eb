/** Whole numbers below a bound, from a 32-bit seed (xorshift32). */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 0x9e3779b9
  }

  below(bound: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % bound
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }
}

const interesting = [
  0, 1, 2, 3, 4, 7, 8, 12, 24, 32, 127, 128, 255, 256, 4095, 4096, 65535, 65536, 0x7fffffff, 0xffffffff,
]
const bigInteresting = [
  0n,
  1n,
  4096n,
  1n << 31n,
  1n << 32n,
  1n << 53n,
  (1n << 53n) - 1n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
]

/** Makes inputs out of others: a few changes each, some of them whole words or pieces of another input. */
export class Mutation {
  words: readonly Uint8Array[]
  readonly #dice: Dice
  readonly #maxSize: number
  readonly #changes: readonly ((input: Uint8Array, other: Uint8Array) => Uint8Array)[]

  constructor(dice: Dice, words: readonly Uint8Array[], maxSize: number) {
    this.#dice = dice
    this.words = words
    this.#maxSize = maxSize
    this.#changes = [
      input => this.#setByte(input),
      input => this.#setByte(input),
      input => this.#setNumber(input),
      input => this.#addToByte(input),
      input => this.#remove(input),
      input => this.#duplicate(input),
      input => this.#insert(input, this.#word()),
      input => this.#insert(input, this.#word()),
      input => this.#overwrite(input, this.#word()),
      (input, other) => this.#insert(input, this.#piece(other)),
      (input, other) => this.#crossover(input, other),
    ]
  }

  of(input: Uint8Array, other: Uint8Array): Uint8Array {
    let result: Uint8Array = input.slice()
    for (let left = 1 + this.#dice.below(5); left > 0; left--) {
      result = this.#dice.pick(this.#changes)(result, other)
      if (result.length > this.#maxSize) result = result.slice(0, this.#maxSize)
    }
    return result
  }

  #setByte(input: Uint8Array): Uint8Array {
    const at = this.#dice.below(input.length + 1)
    if (at === input.length) return this.#insert(input, Uint8Array.of(this.#dice.below(256)))
    input[at] = this.#dice.below(256)
    return input
  }

  #addToByte(input: Uint8Array): Uint8Array {
    const at = this.#dice.below(Math.max(1, input.length))
    if (at < input.length) input[at] = (input[at] ?? 0) + this.#dice.pick([1, 255, 2, 254, 16, 128])
    return input
  }

  #setNumber(input: Uint8Array): Uint8Array {
    const size = this.#dice.pick([2, 4, 8])
    if (input.length < size) return input
    const at = this.#dice.below(input.length - size + 1)
    const little = this.#dice.below(2) === 0
    const view = new DataView(input.buffer, input.byteOffset)
    const number = this.#dice.below(3) === 0 ? input.length + this.#dice.below(9) - 4 : this.#dice.pick(interesting)
    if (size === 2) view.setUint16(at, number, little)
    else if (size === 4) view.setUint32(at, number, little)
    else
      view.setBigUint64(at, this.#dice.below(2) ? BigInt(Math.max(0, number)) : this.#dice.pick(bigInteresting), little)
    return input
  }

  #remove(input: Uint8Array): Uint8Array {
    const [from, to] = this.#span(input)
    return joined(input.subarray(0, from), input.subarray(to))
  }

  #duplicate(input: Uint8Array): Uint8Array {
    return this.#insert(input, this.#piece(input))
  }

  #insert(input: Uint8Array, piece: Uint8Array): Uint8Array {
    const at = this.#dice.below(input.length + 1)
    return joined(input.subarray(0, at), piece, input.subarray(at))
  }

  #overwrite(input: Uint8Array, piece: Uint8Array): Uint8Array {
    if (piece.length > input.length) return input
    input.set(piece, this.#dice.below(input.length - piece.length + 1))
    return input
  }

  #crossover(input: Uint8Array, other: Uint8Array): Uint8Array {
    return joined(
      input.subarray(0, this.#dice.below(input.length + 1)),
      other.subarray(this.#dice.below(other.length + 1)),
    )
  }

  #word(): Uint8Array {
    return this.words.length === 0 ? new Uint8Array(0) : this.#dice.pick(this.words)
  }

  #piece(input: Uint8Array): Uint8Array {
    return input.slice(...this.#span(input))
  }

  /** Mostly short ones. */
  #span(input: Uint8Array): [from: number, to: number] {
    const from = this.#dice.below(input.length + 1)
    const longest = this.#dice.below(4) === 0 ? input.length : 8
    return [from, Math.min(input.length, from + this.#dice.below(longest + 1))]
  }
}

const joined = (...pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces))
