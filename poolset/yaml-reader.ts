import type * as Yaml from 'yaml'
import { type Entry, splitOnce, splitWords, type Word } from './entry.js'
import { mergeComments } from './merge.js'
import type { MistakeList, Place, Rule } from './mistake.js'
import type { LineKind } from './pool-set.js'
import type { Source } from './source.js'
import { openYaml, type YamlSource, yaml } from './yaml-source.js'

type Node = Yaml.ParsedNode | null

/** Entries of the YAML form (docs/pool-set-files.md); undefined if the text is not even YAML. */
export function readYaml(source: Source, mistakes: MistakeList): Entry[] | undefined {
  const opened = openYaml(source, mistakes)
  if (opened === undefined) return undefined
  const reader = new YamlReader(opened, mistakes)
  reader.set(opened.root)
  return mergeComments(reader.entries, opened.comments, source.lines)
}

class YamlReader {
  readonly entries: Entry[] = []
  readonly #source: YamlSource
  readonly #mistakes: MistakeList
  #localCount = 0

  constructor(source: YamlSource, mistakes: MistakeList) {
    this.#source = source
    this.#mistakes = mistakes
  }

  set(root: Node): void {
    const fields = this.#fields(root, ['options', 'replicas'], 'a pool set is a mapping with the key replicas')
    if (fields === undefined) return
    if (!fields.has('replicas')) this.#add('key-missing', this.#place(root), 'the key replicas is missing')
    for (const [key, { value }] of fields) {
      if (key === 'options') this.#options(value)
      else for (const item of this.#items(value, 'replicas is a list')) this.#replica(item)
    }
  }

  #options(node: Node): void {
    const items = yaml().isSeq(node) ? this.#items(node, '') : [node]
    for (const item of items) this.#option(item)
  }

  #option(node: Node): void {
    const words = this.#scalar(node, 'an option is SINGLEHDR or NOHDRS')
    if (words !== undefined) this.#entry('option', node, splitAt(words))
  }

  #replica(node: Node): void {
    const shape = 'a replica is a mapping with one of the keys parts and remote'
    const fields = this.#fields(node, ['parts', 'remote', 'option'], shape)
    const [field, second] = fields ?? []
    if (field === undefined) {
      if (fields !== undefined) this.#add('shape', this.#place(node), shape)
      return
    }
    const [key, { place, value }] = field
    if (second !== undefined) this.#add('shape', second[1].place, `${shape}; begin another item of the list`)
    else if (key === 'option') this.#option(value)
    else if (key === 'remote') this.#remote(value)
    else this.#local(place, value)
  }

  #local(place: Place, parts: Node): void {
    if (this.#localCount++ > 0) this.entries.push({ kind: 'replica', words: [], comment: undefined, ...place })
    for (const item of this.#items(parts, 'parts is a list')) this.#part(item)
  }

  #part(node: Node): void {
    if (!yaml().isMap(node)) {
      const text = this.#scalar(node, 'a part is a size and a path, such as 8M /mnt/pool.part0')
      if (text !== undefined) this.#entry('part', node, splitOnce(text))
      return
    }
    const fields = this.#fields(node, ['size', 'path', 'option'], '')
    const option = fields?.get('option')
    if (option !== undefined && fields?.size === 1) this.#option(option.value)
    else this.#pair('part', node, fields, 'size', 'path')
  }

  #remote(node: Node): void {
    if (yaml().isMap(node)) {
      this.#pair('remote', node, this.#fields(node, ['node', 'set'], ''), 'node', 'set')
      return
    }
    const text = this.#scalar(node, 'a remote replica is a node and the name of a pool set')
    if (text !== undefined) this.#entry('remote', node, splitOnce(text))
  }

  #pair(kind: LineKind, node: Node, fields: Fields | undefined, first: string, second: string): void {
    if (fields === undefined) return
    const words = [first, second].map(key => {
      const field = fields.get(key)
      if (field === undefined) this.#add('key-missing', this.#place(node), `the key ${key} is missing`)
      return field && this.#scalar(field.value, `${key} is a word`)
    })
    const present = words.filter(word => word !== undefined)
    if (present.length === 2 && fields.size === 2) this.#entry(kind, node, present)
    else if (fields.size > 2) this.#add('shape', this.#place(node), 'an option is an item of its own')
  }

  #entry(kind: LineKind, node: Node, words: readonly Word[]): void {
    this.entries.push({ kind, words, comment: undefined, ...this.#place(node) })
  }

  /** Keys that are known, each once, with their values. */
  #fields(node: Node, known: readonly string[], shape: string): Fields | undefined {
    if (!yaml().isMap(node)) {
      this.#add('shape', this.#place(node), shape)
      return undefined
    }
    const fields: Fields = new Map()
    for (const pair of node.items) {
      const key = yaml().isScalar(pair.key) ? String(pair.key.value) : ''
      const place = this.#place(pair.key as Node)
      if (!known.includes(key)) this.#add('key-unknown', place, `unknown key; the keys here are ${known.join(', ')}`)
      else if (fields.has(key)) this.#add('key-twice', place, `the key ${key} stands here twice`)
      else fields.set(key, { place, value: pair.value as Node })
    }
    return fields
  }

  #items(node: Node, shape: string): Node[] {
    if (yaml().isSeq(node)) return node.items as Node[]
    this.#add('shape', this.#place(node), shape)
    return []
  }

  /** Where inside a scalar a word stands is exact for plain ones, and for quoted ones without escapes. */
  #scalar(node: Node, shape: string): Word | undefined {
    const place = this.#place(node)
    if (yaml().isScalar(node) && typeof node.value === 'string') {
      const quoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE'
      return { text: node.value, line: place.line, column: place.column + (quoted ? 1 : 0) }
    }
    this.#add('shape', place, shape)
    return undefined
  }

  #place(node: Node): Place {
    return this.#source.placeOf(node?.range[0] ?? 0)
  }

  #add(rule: Rule, place: Place, message: string): void {
    this.#mistakes.add(rule, place, message)
  }
}

type Fields = Map<string, { readonly place: Place; readonly value: Node }>

const splitAt = (word: Word): Word[] => splitWords(word.text, word.line, word.column)
