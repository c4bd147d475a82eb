import { checkComment } from './conversion.js'
import type { Line } from './pool-set.js'

/** The YAML form: structure by replica, comments and empty lines where they stood. Source: docs/pool-set-files.md. */
export function printYaml(lines: readonly Line[]): string {
  const printer = new YamlPrinter()
  for (const line of lines) printer.take(line)
  return printer.finish()
}

/** Which list the next item belongs to: none yet, options, replicas, or the parts of a replica. */
type Open = 'nothing' | 'options' | 'replicas' | 'parts'

const indents: Record<Open, string> = { nothing: '', options: '  ', replicas: '  ', parts: '      ' }

class YamlPrinter {
  readonly #output: string[] = []
  /** Comments and empty lines wait for the item below them, whose indentation they take. */
  readonly #pending: Line[] = []
  #open: Open = 'nothing'

  take(line: Line): void {
    checkComment(line, 'yaml')
    if (line.kind === 'blank' || line.kind === 'comment') this.#pending.push(line)
    else if (line.kind === 'option') this.#option(line)
    else if (line.kind === 'part') this.#part(line)
    else if (line.kind === 'replica') this.#item('replicas', 'parts', `- parts:${trailing(line)}`)
    else this.#item('replicas', 'replicas', `- remote: ${pair(line, 'node', 'set')}${trailing(line)}`)
  }

  finish(): string {
    this.#flush(this.#open)
    return this.#output.map(line => `${line}\n`).join('')
  }

  #option(line: Line): void {
    const names = line.words.join(' ')
    if (this.#open === 'nothing') this.#structure('nothing', 'options:')
    const [open, text]: [Open, string] =
      this.#open === 'nothing' || this.#open === 'options' ? ['options', names] : [this.#open, `option: ${names}`]
    this.#item(open, open, `- ${text}${trailing(line)}`)
  }

  #part(line: Line): void {
    if (this.#open !== 'parts') {
      this.#structure('nothing', 'replicas:')
      this.#structure('replicas', '- parts:')
    }
    this.#item('parts', 'parts', `- ${pair(line, 'size', 'path')}${trailing(line)}`)
  }

  #item(list: Open, next: Open, text: string): void {
    this.#flush(list)
    this.#output.push(indents[list] + text)
    this.#open = next
  }

  #structure(list: Open, text: string): void {
    this.#flush(list)
    this.#output.push(indents[list] + text)
  }

  #flush(list: Open): void {
    for (const line of this.#pending.splice(0)) {
      this.#output.push(line.kind === 'blank' ? '' : `${indents[list]}#${line.comment}`)
    }
  }
}

const trailing = (line: Line): string => (line.comment === undefined ? '' : ` #${line.comment}`)

function pair(line: Line, first: string, second: string): string {
  const [a = '', b = ''] = line.words
  return `{ ${first}: ${scalar(a)}, ${second}: ${scalar(b)} }`
}

const plainPath = /^\/[\w/.+~@%=-]*$/
const plainSize = /^[1-9][0-9]*[A-Za-z]*$/
const plainName = /^[A-Za-z][\w/.+@-]*$/
const reserved = /^(true|false|yes|no|on|off|y|n|null|nan|inf)$/i

/** Plain only where every reader of YAML, 1.1 or 1.2, takes it for the same string or number. */
function scalar(word: string): string {
  const plain = plainPath.test(word) || plainSize.test(word) || (plainName.test(word) && !reserved.test(word))
  return plain ? word : JSON.stringify(word).replaceAll(/[\x7f-\x9f\u2028\u2029\ufeff]/g, escaped)
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
