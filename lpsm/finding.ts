import { type ErrorDetails, RpmemError } from '../core/index.js'

/** One place in the files of an arena that is not what it was written as. */
export interface ArenaFinding {
  readonly file: 'data' | 'log'
  /** Bytes from the begin of the file. */
  readonly offset: number
  readonly length: number
  /** A phrase, such as 'page 7 does not match its checksum'. */
  readonly what: string
}

/** What a damaged arena still has, and what it has not. */
export interface ArenaDamage {
  /** At most 100. */
  readonly findings: readonly ArenaFinding[]
  readonly findingCount: number
  /** Sequences of the checkpoints whose content is whole, ascending; `Arena.recover` with `at` goes back to one of them. */
  readonly whole: readonly number[]
}

/** ERR_ARENA_DAMAGED, with what can be had. */
export class ArenaDamagedError extends RpmemError {
  readonly damage: ArenaDamage

  constructor(path: string, damage: ArenaDamage, details: ErrorDetails = {}) {
    const { findings, findingCount, whole } = damage
    const [first] = findings
    const more = findingCount > 1 ? ` and ${findingCount - 1} more` : ''
    const newest = whole.at(-1)
    const remains = newest === undefined ? 'no checkpoint is whole' : `checkpoint ${newest} is whole`
    super('ERR_ARENA_DAMAGED', `${path}: ${first?.what ?? 'damaged'}${more}; ${remains}`, {
      ...details,
      facts: { path, findings: findingCount, whole, ...(first && { file: first.file, offset: first.offset }) },
      ...(newest === undefined && {
        hint: 'Restore both files from a copy. `rpmem arena check` lists what is damaged; all other pages of the data file are as they were.',
      }),
    })
    this.damage = damage
  }
}

/** Gathers findings, of which only the first hundred are kept. */
export class Findings {
  readonly list: ArenaFinding[] = []
  count = 0

  add(file: ArenaFinding['file'], offset: number, length: number, what: string): void {
    if (this.count++ < maxFindings) this.list.push({ file, offset, length, what })
  }
}

const maxFindings = 100
