import { deepEqual, equal, ok } from 'node:assert/strict'
import { hasCode } from '../../core/index.js'
import {
  type Notation,
  noFiles,
  notations,
  type PoolSet,
  PoolSetSyntaxError,
  parsePoolSet,
  plan,
  printPoolSet,
  renderMistakes,
} from '../../poolset/index.js'
import { vectorText } from '../fixture/vectors.js'
import { type FuzzTarget, utf8 } from './fuzz-target.js'

/** Inputs on which PMDK was observed, in the notation where it can express them. */
const observed = vectorText('poolset', 'cases.tsv')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('# input'))
  .map(line => (line.split('\t')[0] ?? '').replaceAll('\\n', '\n').replaceAll('\\t', '\t').replaceAll('\\r', '\r'))

/** One target a notation: a set, which means the same in all three, or mistakes that have a place. */
export const poolSetTarget = (notation: Notation): FuzzTarget => ({
  claim: `What stands in a pool set of the ${notation} form is a set that means the same in all three forms, or mistakes with their places`,
  seeds: observed.flatMap(text => inNotation(text, notation)).map(utf8),
  words: [
    'PMEMPOOLSET\n',
    'replicas:\n',
    '[replica.0]\n',
    '[replica.1]\n',
    'part[] = ',
    '\n',
    '8M ',
    ' /a',
    '&a ',
    '*a',
  ],
  smokeRuns: notation === 'yaml' ? 30_000 : 60_000,
  run(input) {
    const set = setOf(input, notation)
    if (set === undefined) return
    plan(set)
    for (const other of notations) sameIn(set, other)
    const printed = print(set, notation)
    if (printed !== undefined) equal(print(parse(utf8(printed), notation), notation), printed)
  },
})

const parse = (content: Uint8Array, notation: Notation): PoolSet => parsePoolSet(content, { notation, facts: noFiles })

function inNotation(text: string, notation: Notation): string[] {
  if (notation === 'text') return [text]
  try {
    return [printPoolSet(parse(utf8(text), 'text'), notation)]
  } catch {
    return []
  }
}

/** Undefined for what is no set; the mistakes must be well placed. */
function setOf(input: Uint8Array, notation: Notation): PoolSet | undefined {
  try {
    return parse(input, notation)
  } catch (error) {
    if (!(error instanceof PoolSetSyntaxError)) throw error
    wellPlaced(error)
    return undefined
  }
}

function wellPlaced(error: PoolSetSyntaxError): void {
  const { mistakes } = error
  ok(mistakes.length > 0 && mistakes.length <= 100, 'there are some mistakes, and not more than a hundred')
  for (const [index, { line, column, source }] of mistakes.entries()) {
    ok(line >= (mistakes[index - 1]?.line ?? 1), 'mistakes are in the order of the lines')
    ok(column >= 1 && column <= source.length + 1, 'a mistake stands in its line')
  }
  ok(!/[^\P{Cc}\n]/u.test(renderMistakes(error)), 'nothing that a terminal would obey is printed')
}

function sameIn(set: PoolSet, notation: Notation): void {
  const printed = print(set, notation)
  if (printed === undefined) return
  const { options, replicas } = parse(utf8(printed), notation)
  deepEqual({ options, replicas }, { options: set.options, replicas: set.replicas })
}

/** Undefined where the notation cannot express the set. */
function print(set: PoolSet, notation: Notation): string | undefined {
  try {
    return printPoolSet(set, notation)
  } catch (error) {
    if (hasCode(error, 'ERR_POOLSET_CONVERSION')) return undefined
    throw error
  }
}
