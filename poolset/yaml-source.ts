import { createRequire } from 'node:module'
import type * as Yaml from 'yaml'
import type { PlacedComment } from './merge.js'
import type { MistakeList, Place } from './mistake.js'
import type { Source } from './source.js'

export interface YamlSource {
  readonly root: Yaml.ParsedNode | null
  readonly comments: readonly PlacedComment[]
  /** Line and column of an offset into the text. */
  placeOf(offset: number): Place
}

/** Loaded on first use: it takes some 30 ms, which a target that reads PMDK's text must not pay. */
export const yaml = (): typeof Yaml => {
  library ??= createRequire(import.meta.url)('yaml') as typeof Yaml
  return library
}
let library: typeof Yaml | undefined

/** Our own form needs seven levels; the library descends recursively, so a hostile file could exhaust the stack. */
const depthLimit = 16

/** Undefined if the text is not YAML, or YAML of a kind that cannot be a pool set; `mistakes` tell why. */
export function openYaml(source: Source, mistakes: MistakeList): YamlSource | undefined {
  const placeOf = placer(source.lines)
  const tokens = [...new (yaml().Parser)().parse(source.text)]
  const found = scan(tokens)
  for (const feature of found.features) mistakes.add('yaml-feature', placeOf(feature.offset), feature.message)
  if (found.features.length > 0) return undefined
  // Every scalar a string, so that a size stays as it was written; repeated keys are found by the reader, in linear time.
  const options = { schema: 'failsafe', uniqueKeys: false, prettyErrors: false, logLevel: 'silent' } as const
  const documents = [...new (yaml().Composer)(options).compose(tokens, true, source.text.length)]
  for (const error of documents.flatMap(document => [...document.errors, ...document.warnings])) {
    mistakes.add('yaml', placeOf(error.pos[0]), `not valid YAML: ${error.message}`)
  }
  const [document, second] = documents
  if (second !== undefined) mistakes.add('yaml-feature', placeOf(second.range[0]), 'a pool set is one YAML document')
  if (!mistakes.isEmpty || document === undefined) return undefined
  const comments = found.comments.map(token => ({ ...placeOf(token.offset), text: token.source.slice(1) }))
  return { root: document.contents, comments, placeOf }
}

interface Scan {
  readonly comments: Yaml.CST.SourceToken[]
  readonly features: { offset: number; message: string }[]
}

/** Walks the syntax tree without recursion, before anything of it is composed. */
function scan(tokens: readonly Yaml.CST.Token[]): Scan {
  const result: Scan = { comments: [], features: [] }
  const pending: { node: unknown; depth: number }[] = tokens.map(node => ({ node, depth: 0 })).reverse()
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, depth } = next
    if (Array.isArray(node)) {
      for (const child of node.toReversed()) pending.push({ node: child, depth })
    } else if (isObject(node)) {
      if (isCollection(node) && depth >= depthLimit) return tooDeep(node)
      note(node, result)
      const inner = depth + (isCollection(node) ? 1 : 0)
      for (const child of Object.values(node).reverse())
        if (isObject(child)) pending.push({ node: child, depth: inner })
    }
  }
  return result
}

const unwanted = ['anchor', 'alias', 'tag']

function note(node: object, result: Scan): void {
  if (!('type' in node && 'offset' in node && 'source' in node)) return
  const token = node as Yaml.CST.SourceToken | Yaml.CST.FlowScalar
  if (token.type === 'comment') result.comments.push(token)
  if (!unwanted.includes(token.type) || result.features.length > 0) return
  result.features.push({ offset: token.offset, message: `YAML's ${token.type} has no meaning in a pool set` })
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const isCollection = (node: object): node is Yaml.CST.BlockMap | Yaml.CST.BlockSequence | Yaml.CST.FlowCollection =>
  'type' in node && (node.type === 'block-map' || node.type === 'block-seq' || node.type === 'flow-collection')

const tooDeep = (node: { offset: number }): Scan => ({
  comments: [],
  features: [{ offset: node.offset, message: 'no pool set is nested this deeply' }],
})

function placer(lines: readonly string[]): (offset: number) => Place {
  const starts: number[] = []
  let offset = 0
  for (const line of lines) {
    starts.push(offset)
    offset += line.length + 1
  }
  return position => {
    let low = 0
    for (let high = starts.length; high - low > 1; ) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= position) low = middle
      else high = middle
    }
    return { line: low + 1, column: position - (starts[low] ?? 0) + 1 }
  }
}
