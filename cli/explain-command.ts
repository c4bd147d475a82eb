import { type CatalogueEntry, catalogue, type ErrorCode, RpmemError } from '../core/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'

/** `rpmem explain [CODE]`: one entry of the catalogue of errors, or the list of them, as text or as JSON. */
export function explanation(name: string | undefined, json: boolean, io: Pick<Io, 'colors'>): string {
  if (name === undefined) return json ? `${JSON.stringify(catalogue)}\n` : listOfCodes()
  const code = codeNamed(name)
  const entry: CatalogueEntry = catalogue[code]
  if (json) return `${JSON.stringify({ code, ...entry })}\n`
  const errno = entry.errno === undefined ? '' : `errno    ${entry.errno}\n`
  return `${paintFor(io).title(code)}\nmeans    ${entry.meaning}\nremedy   ${entry.remedy}\n${errno}`
}

function listOfCodes(): string {
  const entries = Object.entries(catalogue)
  const width = Math.max(...entries.map(([code]) => code.length))
  return entries.map(([code, { meaning }]) => `${code.padEnd(width)}  ${meaning}\n`).join('')
}

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
