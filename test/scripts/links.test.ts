import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(page => join('docs', page)),
]

for (const page of pages.filter(path => path.endsWith('.md'))) {
  t.test(`every link of ${page} leads somewhere`, async t => {
    const targets = [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(
      match => match[1] ?? '',
    )
    const local = targets.filter(target => !/^[a-z]+:/.test(target))
    t.same(
      local.filter(target => !existsSync(join(root, dirname(page), target))),
      [],
    )
  })
}

t.test('the index of the documentation names every page', async t => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8')
  const missing = readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md') && !index.includes(`(${name})`))
  t.same(missing, ['README.md'])
})
