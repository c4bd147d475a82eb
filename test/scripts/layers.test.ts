import t from 'tap'
import { importStatements } from '../../scripts/import-statement.js'
import { layerViolations } from '../../scripts/layers.js'
import type { SourceFile } from '../../scripts/source-file.js'

const tree = (files: Record<string, string>): SourceFile[] =>
  Object.entries(files).map(([path, text]) => ({ path, lines: text.split('\n') }))

const violations = (files: Record<string, string>) =>
  layerViolations(tree(files)).map(({ path, line, rule }) => `${path}:${line}: ${rule}`)

t.test('a tree that keeps the rules has no violation', async t => {
  const found = violations({
    'core/index.ts': "export { a } from './units.js'",
    'core/units.ts': 'export const a = 1',
    'wire/frame.ts': "import { a } from '../core/index.js'\nimport { join } from 'node:path'\nimport x from 'yaml'",
    'index.ts': "export { a } from './core/index.js'",
    'test/wire/frame.test.ts': "import '../../wire/frame.js'",
  })
  t.same(found, [])
})

t.test('each way to break the layers is found with its line', async t => {
  const found = violations({
    'core/index.ts': 'export const a = 1',
    'core/units.ts': "\nimport { b } from '../wire/index.js'",
    'wire/index.ts': "import type {\n  a,\n} from '../core/units.js'",
    'target/index.ts': "export * from '../initiator/index.js'",
    'initiator/index.ts': "const x = await import('../target/index.js')",
    'pool/replica.ts': "import './gone.js'\nimport '../core/index.ts'",
    'attic/index.ts': 'export {}',
    'pool/part-utils.ts': 'export {}',
    'pool/PartFile.ts': 'export {}',
    'pool/addon.ts': "const addon = require('../build/Release/fabric_native.node')",
  })
  t.same(found, [
    'core/units.ts:2: core may not import wire',
    'wire/index.ts:3: room core is entered by its index.ts, not by core/units.ts',
    'target/index.ts:1: target may not import initiator',
    'initiator/index.ts:1: initiator may not import target',
    "pool/replica.ts:1: './gone.js' is not a file of the tree",
    "pool/replica.ts:2: '../core/index.ts' must end in .js",
    'attic/index.ts:1: the house has no room attic',
    'pool/part-utils.ts:1: a file is named after a noun of the trade, not util, manager or helper',
    'pool/PartFile.ts:1: file names are kebab-case',
    'pool/addon.ts:1: only fabric-native/binding.ts loads the addon',
  ])
})

t.test('imports in comments are not imports, and every form of import is one', async t => {
  const source = [
    "// import a from './a.js'",
    "/** import b from './b.js'",
    " */ import c from './c.js'",
    "import './d.js'",
    "export * from './e.js'; export { f } from './f.js'",
    "const g = import('./g.js')",
    "const url = 'http://x' // import h from './h.js'",
    "export const from = 'i'",
  ].join('\n')
  t.same(
    importStatements(source).map(({ specifier, line }) => `${line} ${specifier}`),
    ['3 ./c.js', '4 ./d.js', '5 ./e.js', '5 ./f.js', '6 ./g.js'],
  )
})
