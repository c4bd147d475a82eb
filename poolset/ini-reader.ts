import { type Entry, splitOnce, splitWords, type Word } from './entry.js'
import { type IniKey, type IniLine, type IniSection, IniSource } from './ini-source.js'
import { mergeComments } from './merge.js'
import type { MistakeList, Rule } from './mistake.js'
import type { Source } from './source.js'

/** Entries of the INI form (docs/pool-set-files.md). */
export function readIni(source: Source, mistakes: MistakeList): Entry[] {
  const { lines, comments } = new IniSource(source, mistakes)
  const reader = new IniReader(mistakes)
  for (const section of sections(lines)) reader.section(section)
  return mergeComments(reader.entries, comments, source.lines)
}

interface Section {
  /** Undefined for the lines before the first section. */
  readonly head: IniSection | undefined
  readonly keys: IniKey[]
}

function sections(lines: readonly IniLine[]): Section[] {
  const result: Section[] = [{ head: undefined, keys: [] }]
  for (const line of lines) {
    if (line.kind === 'section') result.push({ head: line, keys: [] })
    else result.at(-1)?.keys.push(line)
  }
  return result
}

class IniReader {
  readonly entries: Entry[] = []
  readonly #mistakes: MistakeList
  #replicas = 0

  constructor(mistakes: MistakeList) {
    this.#mistakes = mistakes
  }

  section(section: Section): void {
    const { head, keys } = section
    const [remote, second] = keys.filter(key => key.name === 'remote')
    if (second !== undefined) this.#mistakes.add('key-twice', second, 'the key remote stands here twice')
    if (head !== undefined) this.#head(head, remote === undefined)
    for (const key of keys) this.#key(key, head !== undefined, remote)
  }

  #head(head: IniSection, isLocal: boolean): void {
    const expected = this.#replicas++
    if (head.name !== `replica.${expected}`) {
      this.#mistakes.add(
        'shape',
        head,
        `the sections are replica.0, replica.1 and so on; here belongs [replica.${expected}]`,
      )
    }
    if (isLocal && expected > 0) this.#entry('replica', head, [])
  }

  #key(key: IniKey, inSection: boolean, remote: IniKey | undefined): void {
    const wrong = whyWrong(key.name, inSection, remote !== undefined)
    if (wrong !== undefined) this.#mistakes.add(wrong.rule, key, wrong.message)
    else if (key.name === 'part[]') this.#entry('part', key, splitOnce(key.value))
    else if (key.name === 'remote') this.#entry('remote', key, splitOnce(key.value))
    else this.#entry('option', key, splitWords(key.value.text, key.value.line, key.value.column))
  }

  #entry(kind: Entry['kind'], at: { line: number; column: number }, words: readonly Word[]): void {
    this.entries.push({ kind, words, comment: undefined, line: at.line, column: at.column })
  }
}

function whyWrong(name: string, inSection: boolean, isRemote: boolean): { rule: Rule; message: string } | undefined {
  if (name === 'option[]') return undefined
  if (name !== 'part[]' && name !== 'remote') return { rule: 'key-unknown', message: unknown(name) }
  if (!inSection) return { rule: 'shape', message: `${name} stands below a section such as [replica.0]` }
  if (name === 'remote' || !isRemote) return undefined
  return { rule: 'shape', message: 'a replica is either local, with part[], or remote' }
}

function unknown(name: string): string {
  const hint = name === 'part' || name === 'option' ? `; write ${name}[], since the key may repeat` : ''
  return `unknown key; the keys are part[], remote and option[]${hint}`
}
