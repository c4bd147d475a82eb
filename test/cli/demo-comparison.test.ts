import t from 'tap'
import { compareRecords } from '../../cli/demo-comparison.js'

const record = (text: string) => new TextEncoder().encode(text)
const maybe = record('maybe')
const expected = [record('a'), record('bc')]

t.test('all confirmed records with or without the one that failed are no difference', async t => {
  t.same(compareRecords(expected, expected, maybe), { equal: 2, bytes: 3, difference: undefined })
  t.same(compareRecords(expected, [...expected, maybe], maybe), { equal: 2, bytes: 3, difference: undefined })
})

t.test('a missing, a changed and a foreign record are differences', async t => {
  t.match(compareRecords(expected, [record('a')], maybe).difference, /record 1 and later ones are missing/)
  t.match(compareRecords(expected, [], maybe).difference, /record 0/)
  t.match(compareRecords(expected, [record('a'), record('bx')], maybe).difference, /record 1 differs/)
  t.match(compareRecords(expected, [...expected, record('x')], maybe).difference, /nobody wrote/)
})
