import { userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { TargetAddress } from './address.js'
import { matchesList } from './host-pattern.js'
import { configError, type Directive, includedFiles, readDirectives } from './ssh-config-file.js'

const maxIncludeDepth = 16
const listed = new Set(['identityfile', 'certificatefile'])

/** Directives that apply to one host, as found so far: Match looks at them while the files are being read. */
export class HostDirectives {
  readonly alias: string
  wantsFinal = false
  final = false
  readonly #single = new Map<string, Directive>()
  readonly #lists = new Map<string, Directive[]>()
  readonly #address: TargetAddress

  constructor(address: TargetAddress) {
    this.#address = address
    this.alias = address.host
  }

  add(directive: Directive): void {
    const { keyword } = directive
    if (listed.has(keyword)) {
      const list = this.#lists.get(keyword) ?? []
      if (!list.some(known => known.file === directive.file && known.line === directive.line)) list.push(directive)
      this.#lists.set(keyword, list)
    } else if (!this.#single.has(keyword)) {
      this.#single.set(keyword, directive)
    }
  }

  directive(keyword: string): Directive | undefined {
    return this.#single.get(keyword)
  }

  word(keyword: string): string | undefined {
    return this.#single.get(keyword)?.words[0]
  }

  list(keyword: string): readonly Directive[] {
    return this.#lists.get(keyword) ?? []
  }

  get host(): string {
    const directive = this.directive('hostname')
    return directive ? expandTokens(directive, directive.words[0] ?? '', { h: this.alias }) : this.alias
  }

  get user(): string {
    return this.#address.user ?? this.word('user') ?? userInfo().username
  }
}

/** Reads one configuration file and what it includes into the directives of a host. */
export class ConfigReading {
  readonly #found: HostDirectives
  readonly #home: string
  readonly #base: string

  constructor(found: HostDirectives, home: string, base: string) {
    this.#found = found
    this.#home = home
    this.#base = base
  }

  read(file: string, outer: boolean, depth: number): void {
    let active = outer
    for (const directive of readDirectives(file) ?? []) {
      if (directive.keyword === 'host') active = outer && matchesList(directive.words, this.#found.alias)
      else if (directive.keyword === 'match') active = outer && this.#matches(directive)
      else if (!active) continue
      else if (directive.keyword === 'include') this.#include(directive, depth)
      else this.#found.add(directive)
    }
  }

  #include(directive: Directive, depth: number): void {
    if (depth >= maxIncludeDepth) throw configError(directive, 'Include is nested too deeply')
    for (const word of directive.words) {
      const path = withHome(word, this.#home)
      const pattern = isAbsolute(path) ? path : join(this.#base, path)
      for (const file of includedFiles(pattern)) this.read(file, true, depth + 1)
    }
  }

  #matches(directive: Directive): boolean {
    const words = [...directive.words]
    let matched = true
    while (words.length > 0 && matched) matched = this.#criterion(directive, words)
    return matched
  }

  #criterion(directive: Directive, words: string[]): boolean {
    const word = (words.shift() ?? '').toLowerCase()
    const negated = word.startsWith('!')
    const name = negated ? word.slice(1) : word
    const value = name === 'all' || name === 'canonical' || name === 'final' ? '' : words.shift()
    if (value === undefined) throw configError(directive, `Match ${name} has no value`)
    return this.#holds(directive, name, value) !== negated
  }

  #holds(directive: Directive, name: string, value: string): boolean {
    switch (name) {
      case 'all':
        return true
      case 'canonical':
        return false
      case 'final':
        this.#found.wantsFinal = true
        return this.#found.final
      case 'host':
        return matchesList(value.split(','), this.#found.host)
      case 'originalhost':
        return matchesList(value.split(','), this.#found.alias)
      case 'user':
        return matchesList(value.split(','), this.#found.user)
      case 'localuser':
        return matchesList(value.split(','), userInfo().username)
      default:
        throw configError(directive, `Match ${name} is not supported by the built-in client`)
    }
  }
}

const tokenPattern = /%(.)/g

export function expandTokens(directive: Directive, word: string, tokens: Readonly<Record<string, string>>): string {
  return word.replace(tokenPattern, (text, token: string) => {
    if (token === '%') return '%'
    const value = tokens[token]
    if (value === undefined) throw configError(directive, `the token ${text} is not supported here`)
    return value
  })
}

export const withHome = (path: string, home: string): string =>
  /^~(\/|$)/.test(path) ? join(home, path.slice(1)) : path
