import fc from 'fast-check'
import t from 'tap'
import {
  type Notation,
  noFiles,
  notations,
  type PoolSet,
  PoolSetSyntaxError,
  parsePoolSet,
  printPoolSet,
  type Rule,
  renderMistakes,
} from '../../poolset/index.js'
import { textSet } from './arbitrary-set.js'

const seed = 20261120

/** A set, or the error that tells why not; anything else is a bug. */
function outcome(content: Uint8Array | string, notation: Notation): PoolSet | PoolSetSyntaxError {
  try {
    return parsePoolSet(content, { notation, facts: noFiles })
  } catch (error) {
    if (error instanceof PoolSetSyntaxError) return error
    throw error
  }
}

function isWellPlaced(error: PoolSetSyntaxError): boolean {
  const ordered = error.mistakes.every((mistake, index) => mistake.line >= (error.mistakes[index - 1]?.line ?? 1))
  const inside = error.mistakes.every(({ column, source }) => column >= 1 && column <= source.length + 1)
  const control = [...renderMistakes(error)].some(character => character !== '\n' && /\p{Cc}/u.test(character))
  return error.mistakes.length > 0 && error.mistakes.length <= 100 && ordered && inside && !control
}

t.test('arbitrary bytes are a set or a list of mistakes, in every notation', async t => {
  const head = fc.constantFrom('', 'PMEMPOOLSET\n', 'replicas:\n', '[replica.0]\n')
  fc.assert(
    fc.property(head, fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...notations), (start, bytes, notation) => {
      const result = outcome(Buffer.concat([Buffer.from(start), bytes]), notation)
      return !(result instanceof PoolSetSyntaxError) || isWellPlaced(result)
    }),
    { seed, numRuns: 1000 },
  )
  t.pass()
})

const fragments =
  '\n|\t| |  |#|:|- |-|{|}|[|]|,|"|\'|\\|&a |*a |!t |? |<<: |%|---|...|> |\u0000|\ufeff|\r|=|;|AUTO|8M|/|REPLICA|OPTION|\\u0000|replicas:|parts:|part[] = |[replica.1]|é|\ud83d\ude00'
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(6),
  insert: fc.constantFrom(...fragments.split('|')),
})

t.test('a damaged set is a set or a list of mistakes; what is read can be printed and read again', async t => {
  const edits = fc.array(edit, { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(textSet, fc.constantFrom(...notations), edits, (text, notation, changes) => {
      let content = printPoolSet(parsePoolSet(text, { facts: noFiles }), notation)
      for (const { at, remove, insert } of changes) {
        const index = Math.floor(at * content.length)
        content = content.slice(0, index) + insert + content.slice(index + remove)
      }
      const result = outcome(content, notation)
      return result instanceof PoolSetSyntaxError ? isWellPlaced(result) : printsBack(result, notation)
    }),
    { seed, numRuns: 1000 },
  )
  t.pass()
})

function printsBack(set: PoolSet, notation: Notation): boolean {
  let printed: string
  try {
    printed = printPoolSet(set, notation)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ERR_POOLSET_CONVERSION'
  }
  const again = parsePoolSet(printed, { notation, facts: noFiles })
  return printPoolSet(again, notation) === printed
}

const bomb = `a: &a [x,x,x,x]\n${[...'bcdefghi'].map((name, index) => `${name}: &${name} [*${'abcdefgh'[index]},*${'abcdefgh'[index]}]\n`).join('')}`

const hostile: [string, Notation, string | Uint8Array, Rule, string][] = [
  ['an alias bomb', 'yaml', bomb, 'yaml-feature', '1:4'],
  ['a tag', 'yaml', 'replicas: !!js/function x\n', 'yaml-feature', '1:11'],
  ['a tower of lists', 'yaml', '['.repeat(20000), 'yaml-feature', '1:17'],
  ['a tower of blocks', 'yaml', '- '.repeat(20000), 'yaml-feature', '1:33'],
  ['a second document', 'yaml', 'replicas: []\n---\nx\n', 'yaml-feature', '2:1'],
  ['broken YAML', 'yaml', 'replicas: [\n', 'yaml', '1:12'],
  ['a prototype key', 'yaml', '__proto__: { x: 1 }\nreplicas: [{ parts: [8M /a] }]\n', 'key-unknown', '1:1'],
  ['a merge key', 'yaml', 'replicas: [{ <<: { parts: [] }, parts: [8M /a] }]\n', 'key-unknown', '1:14'],
  ['a key that is no word', 'yaml', '? [a]\n: b\nreplicas: [{ parts: [8M /a] }]\n', 'key-unknown', '1:3'],
  ['a key twice', 'yaml', 'replicas: [{ parts: [8M /a] }]\nreplicas: []\n', 'key-twice', '2:1'],
  ['a part that is a list', 'yaml', 'replicas: [{ parts: [[8M, /a]] }]\n', 'shape', '1:22'],
  ['an option inside a part', 'yaml', 'replicas: [{ parts: [{ size: 8M, path: /a, option: X }] }]\n', 'shape', '1:22'],
  ['an empty replica', 'yaml', 'replicas: [{}]\n', 'shape', '1:12'],
  ['a null', 'yaml', 'replicas:\n', 'shape', '1:10'],
  ['a mapping too few', 'yaml', '- 8M /a\n', 'shape', '1:1'],
  ['a path with a line end', 'yaml', 'replicas: [{ parts: [{ size: 8M, path: "/a\\nb" }] }]\n', 'character', '1:41'],
  [
    'a node with a blank',
    'yaml',
    'replicas: [{ parts: [8M /a] }, { remote: { node: a b, set: c } }]\n',
    'character',
    '1:50',
  ],
  ['a prototype section', 'ini', '[__proto__]\npolluted = 1\n', 'shape', '1:1'],
  ['a prototype key', 'ini', '[replica.0]\n__proto__[] = 1\n', 'key-unknown', '2:1'],
  ['a number left out', 'ini', '[replica.0]\npart[] = 8M /a\n[replica.2]\npart[] = 8M /b\n', 'shape', '3:1'],
  ['a section twice', 'ini', '[replica.0]\npart[] = 8M /a\n[replica.0]\npart[] = 8M /b\n', 'shape', '3:1'],
  [
    'a remote twice',
    'ini',
    '[replica.0]\npart[] = 8M /a\n[replica.1]\nremote = a b\nremote = c d\n',
    'key-twice',
    '5:1',
  ],
  [
    'both kinds in one',
    'ini',
    '[replica.0]\npart[] = 8M /a\n[replica.1]\nremote = a b\npart[] = 8M /c\n',
    'shape',
    '5:1',
  ],
  ['a part outside', 'ini', 'part[] = 8M /a\n', 'shape', '1:1'],
  ['an open quote', 'ini', '[replica.0]\npart[] = "8M /a\n', 'size-format', '2:10'],
  ['a bad escape', 'ini', '[replica.0]\npart[] = "8M /\\q"\n', 'size-format', '2:10'],
  ['text behind a section', 'ini', '[replica.0] x\npart[] = 8M /a\n', 'ini', '1:13'],
  ['PMDK text', 'ini', '[replica.0]\n8M /a\n', 'ini', '2:1'],
  ['an empty file', 'text', '', 'empty-file', '1:1'],
  ['a NUL in a path', 'text', 'PMEMPOOLSET\n8M /a\0b\n', 'character', '2:4'],
  ['an escape sequence in a path', 'text', 'PMEMPOOLSET\n8M /a\x1b[2J\n', 'character', '2:4'],
  ['bytes that are not UTF-8', 'text', Buffer.from('PMEMPOOLSET\n8M /a\n# caf\xe9\n', 'latin1'), 'encoding', '3:6'],
  ['a file too large', 'text', Buffer.alloc(1024 * 1024 + 1, 'PMEMPOOLSET\n'), 'file-size', '1:1'],
  ['an escape sequence as an option', 'text', 'PMEMPOOLSET\n8M /a\nOPTION \x1b[2J\n', 'unknown-option', '3:8'],
  ['a keyword with a tail', 'text', 'PMEMPOOLSET\n8M /a\nREPLICAS host set\n', 'replica-keyword', '3:8'],
  ['an absolute set', 'text', 'PMEMPOOLSET\n8M /a\nREPLICA host /set\n', 'set-relative', '3:14'],
]

for (const [name, notation, content, rule, place] of hostile) {
  t.test(`${notation}: ${name} is a mistake of rule ${rule}`, async t => {
    const result = outcome(content, notation)
    if (!(result instanceof PoolSetSyntaxError)) throw new Error('the set was taken')
    const [first] = result.mistakes
    t.equal(`${first?.rule} ${first?.line}:${first?.column}`, `${rule} ${place}`)
    t.ok(isWellPlaced(result))
  })
}

t.test('a prototype is never touched', async t => {
  t.equal(({} as Record<string, unknown>).polluted, undefined)
})

t.test('a file of nothing but mistakes lists a hundred and counts the rest', async t => {
  const result = outcome(`PMEMPOOLSET\n${'x\n'.repeat(100_000)}`, 'text')
  if (!(result instanceof PoolSetSyntaxError)) throw new Error('the set was taken')
  t.equal(result.mistakes.length, 100)
  t.equal(result.facts.count, 100_000)
  t.same([result.mistakes[0]?.line, result.mistakes[99]?.line], [2, 101])
})

t.test('a line of a hundred thousand characters is shown around its mistake', async t => {
  const result = outcome(`PMEMPOOLSET\n8M /${'a'.repeat(50_000)} \x07${'b'.repeat(50_000)}\n`, 'text')
  if (!(result instanceof PoolSetSyntaxError)) throw new Error('the set was taken')
  const [, line = '', caret = ''] = renderMistakes(result).split('\n')
  t.ok(line.length < 120 && line.includes('…'))
  t.equal(line[caret.indexOf('^')], '\ufffd')
})
