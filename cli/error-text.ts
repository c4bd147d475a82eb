import { describe, isRpmemError, printable, type RpmemError } from '../core/index.js'
import { PoolSetSyntaxError, renderMistakes } from '../poolset/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'
import { wrapped } from './wrapped.js'

/** What deciding on colours and on line breaks takes. */
export type ErrorFace = Pick<Io, 'colors' | 'columns' | 'terminal'>

/**
 * The one place where errors are put into words for the terminal: code and message behind `lead`, causes, facts, durability,
 * hint. On a terminal long lines are broken; in a pipe each stays one line.
 */
export function errorText(error: unknown, io: ErrorFace, lead = paintFor(io).bad('error')): string {
  const broken = (lines: readonly string[]) =>
    io.terminal ? lines.flatMap(line => line.split('\n').flatMap(piece => wrapped(piece, io.columns, 4))) : lines
  if (error instanceof PoolSetSyntaxError) {
    const { code, file, mistakes, hint } = error
    const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`
    // The lines of the file stay as they are: the carets point into them.
    return [`${lead} ${code}: ${count} in ${file}`, renderMistakes(error), ...broken([`  hint: ${hint}`]), ''].join(
      '\n',
    )
  }
  const [first = String(error), ...causes] = describe(error).map(printable)
  const lines = [`${lead} ${first}`, ...causes.map(cause => `  because ${indented(cause)}`)]
  if (isRpmemError(error)) lines.push(...details(error).map(text => paintFor(io).faint(`  ${text}`)))
  return [...broken([...lines, `  hint: ${isRpmemError(error) ? printable(error.hint) : defect}`]), ''].join('\n')
}

const defect = 'This is a defect of rpmem and not of what you gave it; please report what you did.'

/** The same for programs: what the error holds, without a stack. */
export function errorJson(error: unknown): object {
  if (error instanceof PoolSetSyntaxError) return { code: error.code, message: error.message, mistakes: error.mistakes }
  if (!isRpmemError(error)) return { message: error instanceof Error ? error.message : String(error) }
  const { code, message, hint, durability, errno } = error
  return { code, message, causes: describe(error).slice(1), facts: factsOf(error), hint, durability, errno }
}

function details(error: RpmemError): string[] {
  const lines = Object.entries(factsOf(error)).map(
    ([name, value]) => `${printable(name)}: ${indented(printable(String(value)))}`,
  )
  return error.durability === undefined ? lines : [...lines, `durable: ${error.durability}`]
}

function factsOf(error: RpmemError): Record<string, unknown> {
  const entries = Object.entries(error.facts).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]))
}

const indented = (text: string): string => text.trimEnd().replaceAll('\n', '\n    ')
