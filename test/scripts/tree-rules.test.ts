import t from 'tap'
import { treeViolations } from '../../scripts/tree-rules.js'

const lines = (path: string, ...text: string[]) => treeViolations([{ path, lines: text }]).map(({ line }) => line)
const piece = (...pieces: string[]) => pieces.join('')

t.test('clean lines break no rule', async t => {
  t.same(
    lines('core/a.ts', '// for any reader', 'const x: unknown = 1', '/** any order, any size */', "'/var/lib/dpkg'"),
    [],
  )
  t.same(lines('test/core/a.test.ts', 't.test(name, { skip: !canRun }, run)'), [])
})

t.test('each forbidden thing is found', async t => {
  t.same(lines('core/a.ts', `const a = '/${piece('ro', 'ot')}/x'`), [1])
  t.same(lines('core/a.ts', '', `// ${piece('TO', 'DO')}: later`), [2])
  t.same(
    lines('core/a.ts', piece('const x: a', 'ny = 1'), piece('f(y as a', 'ny)'), piece('Map<string, a', 'ny>')),
    [1, 2, 3],
  )
  t.same(lines('test/core/a.test.ts', piece('t.on', 'ly("x")'), piece('t.sk', 'ip("x")')), [1, 2])
  t.same(lines('package-lock.json', `"${piece('resol', 'ved')}": "https://x"`), [1])
})

t.test('the loader of the addon may say any', async t => {
  t.same(lines('fabric-native/binding.ts', piece('const x: a', 'ny = 1')), [])
})
