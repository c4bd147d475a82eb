import { readdirSync, readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { RpmemError, systemCode } from '../core/index.js'
import { matchesPattern } from './host-pattern.js'

/** One directive of an ssh configuration with the place where it stands. */
export interface Directive {
  /** In lower case, as ssh does not distinguish. */
  readonly keyword: string
  readonly words: readonly string[]
  readonly file: string
  /** From 1. */
  readonly line: number
}

/** The directives of one file in order; undefined if there is no such file. Wrong quoting is ERR_SSH_CONFIG. */
export function readDirectives(file: string): Directive[] | undefined {
  const text = readText(file)
  return text?.split('\n').flatMap((source, index) => parseDirective(source, file, index + 1) ?? [])
}

export function parseDirective(source: string, file: string, line: number): Directive | undefined {
  const words = splitWords(source.trim().replace(/^(\w+)[ \t]*=[ \t]*/, '$1 '))
  if (words === undefined) throw configError({ keyword: '', words: [], file, line }, 'a quotation mark is not closed')
  const [keyword, ...rest] = words
  if (keyword === undefined) return undefined
  const directive = { keyword: keyword.toLowerCase(), words: rest, file, line }
  if (keyword === '') throw configError(directive, 'the keyword is empty')
  if (rest.length === 0) throw configError(directive, `${keyword} has no value`)
  return directive
}

export function configError({ file, line, keyword, words }: Directive, rule: string, cause?: unknown): RpmemError {
  const text = [keyword, ...words].join(' ')
  return new RpmemError('ERR_SSH_CONFIG', `${file}:${line}: ${rule}`, {
    facts: { file, line, directive: text, rule },
    cause,
  })
}

/** Files that an Include names, in the order of the shell; a pattern without a match names none. */
export function includedFiles(pattern: string): string[] {
  return expand(isAbsolute(pattern) ? pattern.split('/').slice(1) : [], '/')
}

function expand(steps: readonly string[], folder: string): string[] {
  const [step, ...rest] = steps
  if (step === undefined) return []
  const names = /[*?]/.test(step) ? entries(folder, step) : [step]
  return names.flatMap(name => (rest.length === 0 ? [join(folder, name)] : expand(rest, join(folder, name))))
}

function entries(folder: string, pattern: string): string[] {
  try {
    return readdirSync(folder)
      .filter(name => !(name.startsWith('.') && !pattern.startsWith('.')) && matchesPattern(pattern, name))
      .sort()
  } catch {
    return []
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT' || systemCode(cause) === 'ENOTDIR') return undefined
    const facts = { file }
    throw RpmemError.wrap('ERR_SSH_CONFIG', `the ssh configuration ${file} cannot be read`, cause, { facts })
  }
}

/** Words as ssh splits them: blanks separate, quotation marks group, `#` at the start of a word ends the line. */
function splitWords(source: string): string[] | undefined {
  const words: string[] = []
  const pattern = /[ \t\r]*(?:"((?:[^"\\]|\\.)*)"|([^\s"]+)|(.))/gy
  for (let match = pattern.exec(source); match; match = pattern.exec(source)) {
    const [, quoted, bare, stray] = match
    if (stray !== undefined) return undefined
    if (bare?.startsWith('#')) return words
    words.push(bare ?? (quoted ?? '').replace(/\\(["\\])/g, '$1'))
  }
  return words
}
