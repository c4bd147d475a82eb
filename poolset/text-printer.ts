import { RpmemError } from '../core/index.js'
import type { Line } from './pool-set.js'
import { signature } from './text-reader.js'

/** PMDK's text: one blank between words, everything else as it was written. */
export const printText = (lines: readonly Line[]): string => [signature, ...lines.map(printLine), ''].join('\n')

function printLine(line: Line): string {
  const comment = line.comment === undefined ? '' : `#${line.comment}`
  const words = line.words.map(checked)
  if (line.kind === 'blank') return ''
  if (line.kind === 'comment') return comment
  // PMDK takes a blank behind REPLICA for the beginning of a node, so the comment must touch the word.
  if (line.kind === 'replica') return `REPLICA${comment}`
  if (line.kind === 'part') return join(words, comment)
  return join([line.kind === 'option' ? 'OPTION' : 'REPLICA', ...words], comment)
}

const join = (words: readonly string[], comment: string): string => [...words, ...(comment ? [comment] : [])].join(' ')

function checked(word: string): string {
  if (!/[ \t\n\0#]/.test(word)) return word
  throw new RpmemError('ERR_POOLSET_CONVERSION', `a text pool set cannot express ${JSON.stringify(word)}`, {
    facts: { notation: 'text', value: word },
    hint: 'PMDK knows no quoting: a path cannot hold blanks or #. Keep the set in YAML or INI, or rename the path.',
  })
}
