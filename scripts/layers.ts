import { posix } from 'node:path'
import { importStatements } from './import-statement.js'
import type { SourceFile, Violation } from './source-file.js'

/** Who may import whom (DESIGN, the house). A room that is not listed here does not exist. */
export const layers: Readonly<Record<string, readonly string[]>> = {
  core: [],
  wire: ['core'],
  poolset: ['core'],
  'fabric-native': ['core'],
  pool: ['core', 'poolset', 'fabric-native'],
  vmem: ['core', 'fabric-native'],
  lpsm: ['core', 'fabric-native', 'pool', 'vmem'],
  initiator: ['core', 'wire', 'fabric-native', 'pool'],
  target: ['core', 'wire', 'poolset', 'fabric-native', 'pool'],
  cli: ['core', 'wire', 'poolset', 'fabric-native', 'pool', 'vmem', 'lpsm', 'initiator', 'target', 'index.ts'],
}

/** Folders beside the house: they may look into every room. */
/** Files of the top level that bring rooms together. */
const publicFace = new Set(['index.ts', 'mirrored-arena.ts'])
const annexes = new Set(['test', 'bench', 'scripts', 'examples'])
const addonLoader = 'fabric-native/binding.ts'
const nameless = /(^|[-.])(utils?|managers?|helpers?)([-.]|$)/

export function layerViolations(files: readonly SourceFile[]): Violation[] {
  const paths = new Set(files.map(file => file.path))
  return files.flatMap(file => [...nameViolations(file), ...importViolations(file, paths), ...addonViolations(file)])
}

const roomOf = (path: string): string => path.split('/')[0] ?? ''

function nameViolations({ path }: SourceFile): Violation[] {
  const name = posix.basename(path)
  const rules: string[] = []
  if (nameless.test(name)) rules.push('a file is named after a noun of the trade, not util, manager or helper')
  if (!/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(name)) rules.push('file names are kebab-case')
  const room = roomOf(path)
  if (path.includes('/') && !(room in layers) && !annexes.has(room)) rules.push(`the house has no room ${room}`)
  return rules.map(rule => ({ path, line: 1, rule }))
}

function importViolations(file: SourceFile, paths: ReadonlySet<string>): Violation[] {
  if (annexes.has(roomOf(file.path))) return []
  return importStatements(file.lines.join('\n')).flatMap(({ specifier, line }) =>
    specifier.startsWith('.')
      ? brokenRules(file.path, specifier, paths).map(rule => ({ path: file.path, line, rule }))
      : [],
  )
}

function brokenRules(path: string, specifier: string, paths: ReadonlySet<string>): string[] {
  if (!specifier.endsWith('.js')) return [`'${specifier}' must end in .js`]
  const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
  if (!paths.has(target)) return [`'${specifier}' is not a file of the tree`]
  const from = roomOf(path)
  const to = roomOf(target)
  if (from === to) return []
  // The public face gathers exports of all rooms but the commands.
  if (publicFace.has(path)) return entered(target, to === 'cli' ? ['index.ts does not export the commands'] : [])
  const allowed = layers[from] ?? []
  const layer = allowed.includes(to) ? [] : [`${from} may not import ${to}`]
  return entered(target, layer)
}

function entered(target: string, broken: string[]): string[] {
  const inside = target.includes('/') && posix.basename(target) !== 'index.ts'
  return inside ? [...broken, `room ${roomOf(target)} is entered by its index.ts, not by ${target}`] : broken
}

/** Annexes may name the addon in a test of its loading, but only the loader may load it in the house. */
function addonViolations(file: SourceFile): Violation[] {
  if (file.path === addonLoader || annexes.has(roomOf(file.path))) return []
  return file.lines.flatMap((text, index) =>
    /\bdlopen\b|fabric_native|\.node['"`]/.test(text) && !/^\s*(\*|\/\/|\/\*)/.test(text)
      ? [{ path: file.path, line: index + 1, rule: `only ${addonLoader} loads the addon` }]
      : [],
  )
}
