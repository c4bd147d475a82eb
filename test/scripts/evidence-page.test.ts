import { readFileSync } from 'node:fs'
import t from 'tap'
import type { Evidence } from '../../scripts/evidence.js'
import { evidencePage, suitesOf } from '../../scripts/evidence-page.js'

const fuzz: Evidence = {
  suite: 'fuzz-smoke',
  claim: 'No input of a reader ends otherwise than with an answer or an error of the catalogue',
  amount: { executions: 1234567, targets: 8 },
  seeds: [1, 'a'],
  result: 'passed',
  seconds: 61.4,
  again: 'npm run fuzz -- smoke',
}

t.test('the page gives claim, result, amount, seeds, time and command of each suite', async t => {
  const page = evidencePage([fuzz, { ...fuzz, suite: 'x', seeds: [], result: 'absent', reason: 'no clang' }], 'here')
  t.same(suitesOf(page), ['fuzz-smoke', 'x'])
  for (const piece of [
    `${fuzz.claim}.`,
    '| result | passed |',
    '| result | absent: no clang |',
    '| amount | 1,234,567 executions, 8 targets |',
    '| seeds | 1, a |',
    '| seeds | nothing random |',
    '| time | 61 s, here |',
    '| again | `npm run fuzz -- smoke` |',
  ])
    t.ok(page.includes(piece), piece)
})

t.test('a suite that did not run keeps its section', async t => {
  const former = evidencePage([fuzz, { ...fuzz, suite: 'a', seconds: 1 }], 'there')
  const page = evidencePage([{ ...fuzz, suite: 'a', seconds: 2 }], 'here', former)
  t.same(suitesOf(page), ['a', 'fuzz-smoke'])
  t.ok(page.indexOf('2 s, here') < page.indexOf('61 s, there'))
  t.equal(evidencePage([], 'here', page), page)
})

t.test('the committed page names suites, each once, and all of them passed', async t => {
  const page = readFileSync(new URL('../../../docs/evidence.md', import.meta.url), 'utf8')
  const suites = suitesOf(page)
  t.ok(suites.length > 0)
  t.equal(new Set(suites).size, suites.length)
  t.equal([...page.matchAll(/^\| result \| passed \|$/gm)].length, suites.length)
})
