import { describe, isRpmemError, type RpmemError } from '../core/index.js'
import { PoolSetSyntaxError, renderMistakes } from '../poolset/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'

/** The one place where errors are put into words for the terminal: code and message, causes, facts, durability, hint. */
export function errorText(error: unknown, io: Pick<Io, 'colors'>): string {
  const paint = paintFor(io)
  if (error instanceof PoolSetSyntaxError) return `${paint.bad('error')} ${error.code}\n${renderMistakes(error)}\n`
  const [first = String(error), ...causes] = describe(error)
  const lines = [`${paint.bad('error')} ${first}`, ...causes.map(cause => `  because ${indented(cause)}`)]
  if (isRpmemError(error)) lines.push(...details(error).map(text => paint.faint(`  ${text}`)), `  hint: ${error.hint}`)
  return `${lines.join('\n')}\n`
}

/** The same for programs: what the error holds, without a stack. */
export function errorJson(error: unknown): object {
  if (error instanceof PoolSetSyntaxError) return { code: error.code, message: error.message, mistakes: error.mistakes }
  if (!isRpmemError(error)) return { message: error instanceof Error ? error.message : String(error) }
  const { code, message, hint, durability, errno } = error
  return { code, message, causes: describe(error).slice(1), facts: printable(error), hint, durability, errno }
}

function details(error: RpmemError): string[] {
  const lines = Object.entries(printable(error)).map(([name, value]) => `${name}: ${indented(String(value))}`)
  return error.durability === undefined ? lines : [...lines, `durable: ${error.durability}`]
}

function printable(error: RpmemError): Record<string, unknown> {
  const entries = Object.entries(error.facts).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]))
}

const indented = (text: string): string => text.trimEnd().replaceAll('\n', '\n    ')
