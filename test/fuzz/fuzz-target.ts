/** Something that reads foreign bytes, and what must hold whatever they are. One file in targets/ is one of these. */
export interface FuzzTarget {
  /** As a sentence without its full stop. */
  readonly claim: string
  /** Valid inputs from elsewhere, besides those in corpus/NAME. */
  readonly seeds: readonly Uint8Array[]
  /** Words worth inserting, besides the literals of the code that is reached. */
  readonly words?: readonly string[]
  /** Longest input; default 1024. */
  readonly maxSize?: number
  /** Executions in CI; default 100,000. */
  readonly smokeRuns?: number
  /** Deliberately wrong: a run that finds nothing is the failure. */
  readonly mustFail?: boolean
  /** Throws, or rejects, if the claim does not hold for this input. */
  run(input: Uint8Array): void | Promise<void>
}

export const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'))
