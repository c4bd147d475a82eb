import { readFileSync } from 'node:fs'
import t from 'tap'
import { errorsPage } from '../../scripts/errors-page.js'

t.test('docs/errors.md is what the catalogue says (npm run docs writes it)', async t => {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
  t.equal(page, errorsPage())
})
