import { readFileSync } from 'node:fs'
import t from 'tap'
import { type Notation, noFiles, parsePoolSet, plan, printPoolSet, sizeSuffixes } from '../../poolset/index.js'

const page = readFileSync(new URL('../../../docs/pool-set-files.md', import.meta.url), 'utf8')
const examples = Array.from(page.matchAll(/```(text|yaml|ini)\n(.*?)```/gs), ([, notation, content]) => ({
  notation: notation as Notation,
  content: content ?? '',
}))

t.test('every example can be read and used', async t => {
  t.equal(examples.length, 6)
  for (const { notation, content } of examples) {
    t.same(plan(parsePoolSet(content, { notation, facts: noFiles })).violations, [], notation)
  }
})

t.test('the three forms of the first set are exactly what a conversion prints', async t => {
  const [text] = examples
  const set = parsePoolSet(text?.content ?? '', { facts: noFiles })
  for (const { notation, content } of examples.slice(0, 3)) t.equal(printPoolSet(set, notation), content, notation)
})

t.test('the table of suffixes is complete and right', async t => {
  const superscripts = '⁰¹²³⁴⁵'
  const rows = Array.from(page.matchAll(/^\| (.*) \| (1|1024|1000)([²³⁴⁵]?) \|$/gm))
  const documented = rows.flatMap(([, suffixes = '', base = '', power]) =>
    suffixes.split(', ').map((suffix): [string, bigint] => {
      const exponent = BigInt(power ? superscripts.indexOf(power) : 1)
      return [suffix === 'none' ? '' : suffix.replaceAll('`', ''), BigInt(base) ** exponent]
    }),
  )
  t.same(new Map(documented), new Map(sizeSuffixes))
  t.equal(documented.length, 17)
})
