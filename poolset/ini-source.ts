import type { Word } from './entry.js'
import type { PlacedComment } from './merge.js'
import type { MistakeList, Place } from './mistake.js'
import type { Source } from './source.js'

export type IniLine = IniSection | IniKey

export interface IniSection extends Place {
  readonly kind: 'section'
  readonly name: string
}

export interface IniKey extends Place {
  readonly kind: 'key'
  readonly name: string
  readonly value: Word
}

/**
 * Lines of INI as the npm package `ini` reads them, but with their places. That package is not used, because it has no
 * places, drops what it does not understand, and keeps the quotes of a value which a comment follows.
 */
export class IniSource {
  readonly lines: IniLine[] = []
  readonly comments: PlacedComment[] = []
  readonly #mistakes: MistakeList

  constructor(source: Source, mistakes: MistakeList) {
    this.#mistakes = mistakes
    source.lines.forEach((text, index) => {
      const indent = /^\ufeff?[ \t]*/.exec(text)?.[0].length ?? 0
      this.#scan(text.slice(indent), { line: index + 1, column: indent + 1 })
    })
  }

  #scan(body: string, place: Place): void {
    if (body === '') return
    const section = /^\[([^\]]*)\][ \t]*/.exec(body)
    const key = /^([^=;#\s]+)[ \t]*=[ \t]*/.exec(body)
    if (/^[;#]/.test(body)) this.#comment(body, place)
    else if (section !== null) this.#section(section[1] ?? '', body.slice(section[0].length), place, section[0].length)
    else if (key !== null) this.#key(key[1] ?? '', body.slice(key[0].length), place, key[0].length)
    else this.#mistakes.add('ini', place, 'a line is a section such as [replica.0], key = value, or a comment')
  }

  #section(name: string, rest: string, place: Place, length: number): void {
    this.lines.push({ kind: 'section', name, ...place })
    this.#rest(rest, shifted(place, length))
  }

  #key(name: string, rest: string, place: Place, length: number): void {
    const at = shifted(place, length)
    const value = readQuoted(rest) ?? readBare(rest)
    const column = at.column + (value.isQuoted ? 1 : 0)
    this.lines.push({ kind: 'key', name, value: { text: value.text, line: at.line, column }, ...place })
    this.#rest(rest.slice(value.length), shifted(at, value.length))
  }

  #rest(rest: string, place: Place): void {
    const blanks = rest.length - rest.trimStart().length
    const body = rest.slice(blanks)
    if (/^[;#]/.test(body)) this.#comment(body, shifted(place, blanks))
    else if (body !== '') this.#mistakes.add('ini', shifted(place, blanks), 'nothing but a comment may follow here')
  }

  #comment(body: string, place: Place): void {
    this.comments.push({ ...place, text: body.slice(1) })
  }
}

const shifted = (place: Place, columns: number): Place => ({ line: place.line, column: place.column + columns })

interface Value {
  readonly text: string
  /** Code units that it takes in the line. */
  readonly length: number
  readonly isQuoted: boolean
}

/** Double quotes as in JSON, single ones without escapes; undefined if the value is not quoted, or not properly. */
function readQuoted(rest: string): Value | undefined {
  const match = /^"(?:[^"\\]|\\.)*"|^'[^']*'/su.exec(rest)
  if (match === null) return undefined
  const text = rest.startsWith('"') ? unquoted(match[0]) : match[0].slice(1, -1)
  return text === undefined ? undefined : { text, length: match[0].length, isQuoted: true }
}

function unquoted(text: string): string | undefined {
  try {
    return String(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Up to a comment; `\;`, `\#` and `\\` stand for the second character. */
function readBare(rest: string): Value {
  const [raw = ''] = /^(?:[^\\;#]|\\[\\;#]|\\)*/su.exec(rest) ?? []
  const text = raw.replaceAll(/\\([\\;#])/g, '$1').replace(/[ \t]+$/, '')
  return { text, length: raw.length, isQuoted: false }
}
