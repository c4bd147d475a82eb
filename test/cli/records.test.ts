import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { readRecords, split } from '../../cli/records.js'

const text = (parts: Iterable<Uint8Array>) => [...parts].map(part => Buffer.from(part).toString())

t.test('fields are taken by paragraphs, anything else by lines', async t => {
  const dir = t.testdir({ status: 'Package: a\nVersion: 1\n\nPackage: b\n\n\nPackage: c', log: 'one\n\ntwo\nthree' })
  const status = await readRecords(join(dir, 'status'), 1000)
  t.equal(status.kind, 'paragraphs')
  t.same(text(status.records), ['Package: a\nVersion: 1\n\n', 'Package: b\n\n\n', 'Package: c'])
  const log = await readRecords(join(dir, 'log'), 1000)
  t.equal(log.kind, 'lines')
  t.same(text(log.records), ['one\n', '\n', 'two\n', 'three'])
})

t.test('no more than the limit is read', async t => {
  const file = join(t.testdir({}), 'big')
  writeFileSync(file, 'x'.repeat(100))
  t.match(await readRecords(file, 10), { bytes: 10, fileBytes: 100, records: { length: 1 } })
})

t.test('records together are the input, whatever it is', async t => {
  const content = fc.array(fc.constantFrom('a', '\n', 'Package: x', '\n\n'), { maxLength: 40 })
  fc.assert(
    fc.property(content, fc.constantFrom('lines' as const, 'paragraphs' as const), (pieces, kind) => {
      const input = Buffer.from(pieces.join(''))
      const parts = [...split(input, kind)]
      t.ok(parts.every(part => part.length > 0))
      t.same(Buffer.concat(parts), input)
    }),
    { seed: 20261120, numRuns: 100 },
  )
})

t.test('a line without end is cut into records of a mebibyte', async t => {
  const parts = [...split(new Uint8Array((2 << 20) + 5), 'lines')]
  t.same(
    parts.map(part => part.length),
    [1 << 20, 1 << 20, 5],
  )
})
