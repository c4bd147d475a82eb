import { checkComment } from './conversion.js'
import type { Line } from './pool-set.js'

/** The INI form: a section for each replica, comments and empty lines where they stood. Source: docs/pool-set-files.md. */
export function printIni(lines: readonly Line[]): string {
  let replicas = 0
  const section = (): string => `[replica.${replicas++}]`
  return lines
    .flatMap((line): string[] => {
      checkComment(line, 'ini')
      if (line.kind === 'blank') return ['']
      if (line.kind === 'comment') return [`#${line.comment}`]
      if (line.kind === 'option') return [`option[] = ${value(line)}`]
      if (line.kind === 'replica') return [section() + trailing(line)]
      if (line.kind === 'remote') return [section(), `remote = ${value(line)}`]
      return [...(replicas === 0 ? [section()] : []), `part[] = ${value(line)}`]
    })
    .map(line => `${line}\n`)
    .join('')
}

const trailing = (line: Line): string => (line.comment === undefined ? '' : ` #${line.comment}`)

function value(line: Line): string {
  const text = line.words.join(' ')
  const isPlain = text === text.trim() && !/^["']/.test(text)
  return (isPlain ? text.replaceAll(/[\\;#]/g, '\\$&') : JSON.stringify(text)) + trailing(line)
}
