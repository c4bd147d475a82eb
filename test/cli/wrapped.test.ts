import { styleText } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { wrapped } from '../../cli/wrapped.js'

t.test('text is broken at blanks and indented further', async t => {
  t.same(wrapped('  one two three', 9, 2), ['  one two', '    three'])
  t.same(wrapped('short', 80, 2), ['short'])
})

t.test('a word longer than a line is cut, and nothing is lost', async t => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,30}$/), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(words, fc.integer({ min: 10, max: 40 }), (list, columns) => {
      const lines = wrapped(list.join(' '), columns, 2)
      t.ok(lines.every(line => line.length <= columns))
      t.equal(lines.join('').replaceAll(' ', ''), list.join(''))
    }),
    { seed: 20261120, numRuns: 100 },
  )
})

t.test('colours take no room', async t => {
  const text = `${styleText('red', 'error', { validateStream: false })} abc`
  t.same(wrapped(text, 9, 0), [text])
})
