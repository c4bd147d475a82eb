import { readFileSync } from 'node:fs'
import t from 'tap'
import { layoutHeader, layoutHeaderPath } from '../../scripts/generate-layouts.js'

t.test('the layouts in C++ are those of the tables in wire', async t => {
  t.equal(readFileSync(layoutHeaderPath, 'utf8'), layoutHeader(), 'run node dist/scripts/generate-layouts.js')
})
