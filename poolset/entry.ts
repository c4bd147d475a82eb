import type { Place } from './mistake.js'
import type { Line, LineKind } from './pool-set.js'

/** A line of a pool set together with where it stands, as the reader of each notation delivers it. */
export interface Entry extends Place {
  readonly kind: LineKind
  readonly words: readonly Word[]
  readonly comment: string | undefined
}

export interface Word extends Place {
  readonly text: string
}

export const lineOf = (entry: Entry): Line => ({
  kind: entry.kind,
  words: entry.words.map(word => word.text),
  comment: entry.comment,
})

/** Words between blanks and where they begin; `column` is that of the first character of `text`. */
export function splitWords(text: string, line: number, column: number): Word[] {
  return Array.from(text.matchAll(/[^ \t]+/g), match => ({ text: match[0], line, column: column + match.index }))
}

/** The first word and all the rest: behind a size or a node a path or a name may hold blanks. */
export function splitOnce(word: Word): Word[] {
  const [first, second] = splitWords(word.text, word.line, word.column)
  if (first === undefined || second === undefined) return first === undefined ? [] : [first]
  const rest = word.text.slice(second.column - word.column)
  return [first, { ...second, text: rest }]
}

/** PMDK would take them in names; there they are accidents or attacks on a terminal. */
export const hasControls = (text: string): boolean => /\p{Cc}/u.test(text)
