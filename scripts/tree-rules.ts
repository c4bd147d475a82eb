import type { SourceFile, Violation } from './source-file.js'

interface Rule {
  readonly pattern: RegExp
  readonly rule: string
  /** Files the rule looks at. */
  readonly applies: (path: string) => boolean
}

const typescript = (path: string) => path.endsWith('.ts')
const test = (path: string) => path.startsWith('test/') && typescript(path)
// Patterns are put together from pieces, so that this file does not break its own rules.
const word = (...pieces: string[]) => pieces.join('')

export const treeRules: readonly Rule[] = [
  {
    pattern: new RegExp(`(^|[\\s"'\`(=:])/(${word('wo', 'rk')}|${word('ro', 'ot')})/`),
    rule: 'an absolute path of somebody’s machine',
    applies: () => true,
  },
  {
    pattern: new RegExp(`"${word('resol', 'ved')}":|${word('registry', '\\.npmjs')}`),
    rule: 'a registry host; the lock file is kept without',
    applies: path => path === 'package-lock.json' || path.endsWith('.npmrc'),
  },
  {
    pattern: new RegExp(`\\b(${word('FIX', 'ME')}|${word('X', 'XX')}|${word('TO', 'DO')})\\b`),
    rule: 'unfinished work; finish it or write it down as an issue',
    applies: path => /\.(ts|cc|h|md|gyp)$/.test(path),
  },
  {
    pattern: /(\bt|test|it|describe)\.only\(|[{,]\s*only:\s*true/,
    rule: 'a test that switches the others off',
    applies: test,
  },
  {
    pattern: /\bt(est)?\.(skip|todo)\(|[{,]\s*(todo:|skip:\s*true)/,
    rule: 'a test that never runs; a skip needs a condition',
    applies: test,
  },
  {
    pattern: /(:\s*|<|\bas\s+|,\s*)any\b(?=\s*([;,)>=\]|&]|$|\[))/,
    rule: 'any; only the loader of the addon may use it',
    applies: path => typescript(path) && path !== 'fabric-native/binding.ts',
  },
]

export function treeViolations(files: readonly SourceFile[]): Violation[] {
  return files.flatMap(file => treeRules.filter(rule => rule.applies(file.path)).flatMap(rule => matches(file, rule)))
}

function matches(file: SourceFile, { pattern, rule }: Rule): Violation[] {
  return file.lines.flatMap((text, index) => {
    const code =
      file.path.endsWith('.ts') && rule.startsWith('any') ? text.replace(/\/\/.*|^\s*\*.*|\/\*\*.*/, '') : text
    return pattern.test(code) ? [{ path: file.path, line: index + 1, rule }] : []
  })
}
