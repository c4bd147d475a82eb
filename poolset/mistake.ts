import { RpmemError } from '../core/index.js'

/** The rule that a mistake breaks. Those up to `part-type` are PMDK's; the rest are ours. */
export type Rule =
  | 'first-line'
  | 'token'
  | 'path-absolute'
  | 'size-format'
  | 'size-auto'
  | 'option-missing'
  | 'unknown-option'
  | 'replica-keyword'
  | 'remote-fields'
  | 'set-relative'
  | 'no-parts-set'
  | 'no-parts-replica'
  | 'unexpected-part'
  | 'mixed-directories'
  | 'mixed-devices'
  | 'directory-twice'
  | 'directory-unreadable'
  | 'empty-file'
  | 'part-type'
  | 'encoding'
  | 'character'
  | 'file-size'
  | 'yaml'
  | 'yaml-feature'
  | 'ini'
  | 'key-unknown'
  | 'key-twice'
  | 'key-missing'
  | 'shape'

export interface Mistake {
  readonly rule: Rule
  /** From 1; one past the last line for what is only known at the end of the file. */
  readonly line: number
  /** From 1, in UTF-16 code units. */
  readonly column: number
  readonly message: string
  /** The line itself, without its end. */
  readonly source: string
  /** What PMDK's parser sets; 0 where it sets nothing. */
  readonly errno: number
}

/** ERR_POOLSET_SYNTAX with all mistakes of the file, in order of lines; `count` may exceed what is listed. */
export class PoolSetSyntaxError extends RpmemError {
  readonly mistakes: readonly Mistake[]
  readonly file: string

  constructor(file: string, mistakes: readonly Mistake[], count: number = mistakes.length) {
    super('ERR_POOLSET_SYNTAX', summary(file, mistakes, count), {
      facts: { file, count, lines: mistakes.map(mistake => mistake.line) },
      ...(mistakes[0]?.errno ? { errno: mistakes[0].errno } : {}),
    })
    this.file = file
    this.mistakes = mistakes
  }
}

function summary(file: string, mistakes: readonly Mistake[], count: number): string {
  const [first] = mistakes
  if (first === undefined) return `${file}: not a pool set`
  const more = count > 1 ? ` (and ${count - 1} more)` : ''
  return `${file}:${first.line}:${first.column}: ${first.message}${more}`
}

/** All mistakes of the error for people: place, message, the line and a caret below the column. */
export const renderMistakes = (error: PoolSetSyntaxError): string =>
  error.mistakes.map(mistake => renderMistake(error.file, mistake)).join('\n')

function renderMistake(file: string, mistake: Mistake): string {
  const head = `${file}:${mistake.line}:${mistake.column}: ${mistake.message}`
  if (mistake.source === '') return head
  const { text, caret } = excerpt(mistake.source, mistake.column - 1)
  const number = String(mistake.line)
  return `${head}\n  ${number} | ${text}\n  ${' '.repeat(number.length)} | ${' '.repeat(caret)}^`
}

const excerptWidth = 96

/** A hostile line may be a mebibyte long; the caret's surroundings are enough. */
function excerpt(source: string, index: number): { text: string; caret: number } {
  if (source.length <= excerptWidth) return { text: printable(source), caret: index }
  const from = Math.max(0, Math.min(index - excerptWidth / 2, source.length - excerptWidth))
  const before = from > 0 ? '…' : ''
  const after = from + excerptWidth < source.length ? '…' : ''
  return {
    text: before + printable(source.slice(from, from + excerptWidth)) + after,
    caret: index - from + before.length,
  }
}

/** One column for one code unit, and nothing that a terminal would obey. */
export const printable = (text: string): string => text.replaceAll('\t', ' ').replaceAll(/\p{Cc}/gu, '\ufffd')

/** Messages quote what the user wrote, which may be long or not for a terminal. */
const shown = (message: string): string => printable(message.length > 300 ? `${message.slice(0, 300)}…` : message)

const listed = 100

/** Gathers mistakes in any order; hostile input cannot make it grow without bound. */
export class MistakeList {
  readonly #source: readonly string[]
  readonly #mistakes: Mistake[] = []
  #count = 0

  constructor(source: readonly string[]) {
    this.#source = source
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  add(rule: Rule, at: Place, message: string, errno = 22): void {
    this.#count++
    const source = this.#source[at.line - 1] ?? ''
    // Inside a YAML scalar of several lines a computed column can lie beyond the end of the first.
    const column = Math.min(at.column, source.length + 1)
    this.#mistakes.push({ rule, line: at.line, column, message: shown(message), source, errno })
    if (this.#mistakes.length > 2 * listed) this.#trim()
  }

  /** Throws if there is anything to tell. */
  report(file: string): void {
    this.#trim()
    if (this.#count > 0) throw new PoolSetSyntaxError(file, this.#mistakes, this.#count)
  }

  /** Stable: mistakes of one line stay in the order in which PMDK's parser would meet them. */
  #trim(): void {
    this.#mistakes.sort((a, b) => a.line - b.line).splice(listed)
  }
}

export interface Place {
  readonly line: number
  readonly column: number
}
