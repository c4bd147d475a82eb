import { type CatalogueEntry, catalogue, type ErrorCode, RpmemError } from '../core/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'
import { wrapped } from './wrapped.js'

/** `rpmem explain [CODE]`: one entry of the catalogue of errors, or the list of them, as text or as JSON. */
export function explanation(
  name: string | undefined,
  json: boolean,
  io: Pick<Io, 'colors' | 'columns' | 'terminal'>,
): string {
  if (name === undefined) return json ? `${JSON.stringify(catalogue)}\n` : listOfCodes(io)
  const code = codeNamed(name)
  const entry: CatalogueEntry = catalogue[code]
  if (json) return `${JSON.stringify({ code, ...entry })}\n`
  const rows = [`means    ${entry.meaning}`, `remedy   ${entry.remedy}`]
  if (entry.errno !== undefined) rows.push(`errno    ${entry.errno}`)
  return `${[paintFor(io).title(code), ...fitting(rows, 9, io)].join('\n')}\n`
}

function listOfCodes(io: Pick<Io, 'columns' | 'terminal'>): string {
  const entries = Object.entries(catalogue)
  const width = Math.max(...entries.map(([code]) => code.length)) + 2
  const rows = entries.map(([code, { meaning }]) => `${code.padEnd(width)}${meaning}`)
  return `${fitting(rows, width, io).join('\n')}\n`
}

/** On a terminal no line is longer than it is wide; in a pipe each row stays one line. */
const fitting = (rows: readonly string[], indent: number, { columns, terminal }: Pick<Io, 'columns' | 'terminal'>) =>
  terminal ? rows.flatMap(row => wrapped(row, columns, indent)) : rows

function codeNamed(name: string): ErrorCode {
  const wanted = name.toUpperCase().replace(/^(?!ERR_)/, 'ERR_')
  const codes = Object.keys(catalogue) as ErrorCode[]
  const found = codes.find(code => code === wanted)
  if (found) return found
  const close = codes.filter(code => wanted.split('_').some(word => word.length > 3 && code.includes(word)))
  throw new RpmemError('ERR_USAGE', `there is no error code ${name}`, {
    hint: close.length > 0 ? `Did you mean ${close.slice(0, 5).join(', ')}?` : '`rpmem explain` lists all codes.',
  })
}
