import type { BranchCoverage } from './branch-coverage.js'
import type { FuzzTarget } from './fuzz-target.js'
import { Dice, Mutation } from './mutation.js'

export interface ExplorationOptions {
  readonly target: FuzzTarget
  readonly coverage: BranchCoverage
  readonly seed: number
  /** Inputs to begin with. */
  readonly corpus: readonly Uint8Array[]
  /** Told each input before it is run: what ran when the thread was stopped. */
  readonly onInput: (input: Uint8Array) => void
  /** Words to insert, found by what the first inputs have reached. */
  readonly words: () => readonly Uint8Array[]
  /** False once it is time to end. */
  readonly goesOn: (runs: number) => boolean
}

export interface Found {
  readonly input: Uint8Array
  readonly features: number
}

export interface Explored {
  readonly runs: number
  readonly features: number
  /** Inputs of which each has reached something new, and how much. */
  readonly corpus: readonly Found[]
  readonly failure?: { readonly input: Uint8Array; readonly error: unknown }
}

const shrinkingRuns = 2000

/** Runs the target on mutations of its corpus and adds to the corpus what takes a new branch, until it fails or time is up. */
export class Exploration {
  readonly #options: ExplorationOptions
  readonly #corpus: Found[] = []
  readonly #dice: Dice
  #runs = 0

  constructor(options: ExplorationOptions) {
    this.#options = options
    this.#dice = new Dice(options.seed)
  }

  async explore(): Promise<Explored> {
    const { target, corpus, words, goesOn } = this.#options
    const maxSize = target.maxSize ?? 1024
    for (const input of [...corpus, new Uint8Array(0)]) {
      const error = await this.#try(input)
      if (error !== undefined) return this.#explored({ input, error })
    }
    const mutation = new Mutation(this.#dice, words(), maxSize)
    while (goesOn(this.#runs)) {
      const input = mutation.of(this.#parent().input, this.#dice.pick(this.#corpus).input)
      const error = await this.#try(input)
      if (error !== undefined) return this.#explored(await this.#shrunk({ input, error }))
    }
    return this.#explored()
  }

  /** Half of the time one of the latest finds. */
  #parent(): Found {
    const recent = Math.min(this.#corpus.length, 16)
    if (this.#dice.below(2) === 0) return this.#dice.pick(this.#corpus)
    return this.#corpus[this.#corpus.length - 1 - this.#dice.below(recent)] as Found
  }

  async #try(input: Uint8Array): Promise<unknown> {
    const { coverage } = this.#options
    coverage.clear()
    const error = await this.#run(input)
    const features = coverage.take()
    if (features > 0 || this.#corpus.length === 0) this.#corpus.push({ input, features })
    return error
  }

  async #run(input: Uint8Array): Promise<unknown> {
    const { target, onInput } = this.#options
    this.#runs++
    onInput(input)
    try {
      const running = target.run(input)
      if (running !== undefined) await running
      return undefined
    } catch (error) {
      return error ?? new Error('the target threw nothing')
    }
  }

  /** Takes away what the failure does not need. */
  async #shrunk(failure: { input: Uint8Array; error: unknown }): Promise<{ input: Uint8Array; error: unknown }> {
    let smallest = failure
    let left = shrinkingRuns
    for (let size = failure.input.length >> 1; size > 0 && left > 0; size >>= 1) {
      for (let at = 0; at + size <= smallest.input.length && left > 0; left--) {
        const input = new Uint8Array(
          Buffer.concat([smallest.input.subarray(0, at), smallest.input.subarray(at + size)]),
        )
        const error = await this.#run(input)
        if (error !== undefined && sameFailure(error, failure.error)) smallest = { input, error }
        else at += size
      }
    }
    return smallest
  }

  #explored(failure?: { input: Uint8Array; error: unknown }): Explored {
    const { coverage } = this.#options
    return { runs: this.#runs, features: coverage.features, corpus: this.#corpus, ...(failure && { failure }) }
  }
}

const kind = (error: unknown): string => (error instanceof Error ? error.constructor.name : typeof error)
const sameFailure = (left: unknown, right: unknown): boolean => kind(left) === kind(right)
