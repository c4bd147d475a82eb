import { type Entry, splitWords } from './entry.js'
import type { MistakeList } from './mistake.js'
import type { LineKind } from './pool-set.js'

export const signature = 'PMEMPOOLSET'

/** Entries of PMDK's text, the signature line excluded. Source: poolset(5), observed PMDK 1.12.1. */
export function readText(lines: readonly string[], endsWithNewline: boolean, mistakes: MistakeList): Entry[] {
  const [first = ''] = lines
  if (first !== signature || (lines.length === 1 && !endsWithNewline)) {
    mistakes.add(
      'first-line',
      { line: 1, column: firstDifference(first) },
      `the first line must be exactly ${signature} and a line end`,
    )
  }
  return lines.slice(1).map((text, index) => readLine(text, index + 2, mistakes))
}

/** True of what was perhaps never meant to be a pool set, so that a list of follow-on mistakes would not help. */
export const isForeign = (lines: readonly string[]): boolean =>
  !(lines[0] ?? '').trim().toUpperCase().startsWith(signature)

function firstDifference(first: string): number {
  let index = 0
  while (index < signature.length && first[index] === signature[index]) index++
  return index + 1
}

function readLine(text: string, line: number, mistakes: MistakeList): Entry {
  // PMDK reads lines as C strings, so a line of NULs is an empty one.
  if (/^\0*$/.test(text)) return { kind: 'blank', words: [], comment: undefined, line, column: 1 }
  const hash = text.indexOf('#')
  const body = hash < 0 ? text : text.slice(0, hash)
  // In front of the line end that printing adds, a CR would become part of it.
  const comment = hash < 0 ? undefined : text.slice(hash + 1).replace(/\r+$/, '')
  if (hash === 0) return { kind: 'comment', words: [], comment, line, column: 1 }
  return { ...classify(body, line, mistakes), comment, line, column: 1 }
}

function classify(body: string, line: number, mistakes: MistakeList): Pick<Entry, 'kind' | 'words'> {
  if (body.startsWith('OPTION')) return keyword('option', body, 'OPTION', line)
  if (!body.startsWith('REPLICA')) return { kind: 'part', words: splitWords(body, line, 1) }
  if (body === 'REPLICA') return { kind: 'replica', words: [] }
  const remote = keyword('remote', body, 'REPLICA', line)
  if (/^REPLICA[ \t]/.test(body)) return remote
  mistakes.add('replica-keyword', { line, column: 'REPLICA'.length + 1 }, 'the keyword must be exactly REPLICA')
  const words = remote.words.slice(1)
  return words.length === 0 ? { kind: 'replica', words } : { kind: 'remote', words }
}

const keyword = (kind: LineKind, body: string, word: string, line: number): Pick<Entry, 'kind' | 'words'> => ({
  kind,
  words: splitWords(body.slice(word.length), line, word.length + 1),
})
