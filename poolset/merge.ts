import type { Entry } from './entry.js'
import type { LineKind } from './pool-set.js'

/** A comment and where its `#` stands; `text` is what follows. */
export interface PlacedComment {
  readonly line: number
  readonly column: number
  readonly text: string
}

/**
 * Puts comments and empty lines between the entries of a structured notation, by the lines on which they stand. A comment
 * behind an entry belongs to it; one behind mere structure becomes a line of its own.
 */
export function mergeComments(
  entries: readonly Entry[],
  comments: readonly PlacedComment[],
  lines: readonly string[],
): Entry[] {
  const entriesOf = byLine(entries)
  const commentOf = new Map(comments.map(comment => [comment.line, comment]))
  return lines.flatMap((text, index): Entry[] => {
    const line = index + 1
    const found = entriesOf.get(line) ?? []
    const comment = commentOf.get(line)
    const [last] = found.slice(-1)
    if (last !== undefined) return [...found.slice(0, -1), { ...last, comment: comment?.text }]
    if (comment !== undefined) return [bare('comment', line, comment.column, comment.text)]
    return /^[ \t]*$/.test(text) ? [bare('blank', line, 1, undefined)] : []
  })
}

const bare = (kind: LineKind, line: number, column: number, comment: string | undefined): Entry => ({
  kind,
  words: [],
  comment,
  line,
  column,
})

function byLine(entries: readonly Entry[]): Map<number, Entry[]> {
  const result = new Map<number, Entry[]>()
  for (const entry of entries) {
    const found = result.get(entry.line)
    if (found === undefined) result.set(entry.line, [entry])
    else found.push(entry)
  }
  return result
}
