import { deepEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import { parse as parseIni } from 'ini'
import t from 'tap'
import { parse as parseYaml } from 'yaml'
import { noFiles, notationOfFile, notations, type PoolSet, parsePoolSet, printPoolSet } from '../../poolset/index.js'
import { textSet } from './arbitrary-set.js'

const runs = { seed: 20261120, numRuns: 150 }
const parse = (text: string, notation: (typeof notations)[number]): PoolSet =>
  parsePoolSet(text, { notation, facts: noFiles })

t.test('text that rpmem prints is read and printed again as it was', async t => {
  fc.assert(
    fc.property(textSet, text => printPoolSet(parse(text, 'text'), 'text') === text),
    runs,
  )
  t.pass()
})

t.test('a set passes from text through any two notations and back without a change', async t => {
  const route = fc.array(fc.constantFrom(...notations), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(textSet, route, (text, through) => {
      let set = parse(text, 'text')
      for (const notation of through) set = parse(printPoolSet(set, notation), notation)
      equal(printPoolSet(set, 'text'), text)
    }),
    runs,
  )
  t.pass()
})

t.test('every notation means the same options and replicas', async t => {
  fc.assert(
    fc.property(textSet, fc.constantFrom(...notations), (text, notation) => {
      const set = parse(text, 'text')
      const { options, replicas } = parse(printPoolSet(set, notation), notation)
      deepEqual({ options, replicas }, { options: set.options, replicas: set.replicas })
    }),
    runs,
  )
  t.pass()
})

t.test('another reader of YAML finds the same words in what rpmem prints', async t => {
  fc.assert(
    fc.property(textSet, text => {
      const set = parse(text, 'text')
      for (const version of ['1.1', '1.2'] as const) {
        const foreign = parseYaml(printPoolSet(set, 'yaml'), { version, intAsBigInt: true })
        const paths = foreign.replicas.flatMap((item: { parts?: { path?: string }[] }) =>
          (item.parts ?? []).flatMap(part => part.path ?? []),
        )
        deepEqual(paths, pathsOf(set))
      }
    }),
    runs,
  )
  t.pass()
})

t.test('the npm package ini finds the same paths in what rpmem prints', async t => {
  fc.assert(
    fc.property(textSet, text => {
      const set = parse(text, 'text')
      const foreign = parseIni(printPoolSet(set, 'ini'))
      const sections: { part?: string[] }[] = Object.values(foreign.replica)
      const paths = sections.flatMap(section => section.part ?? []).map(part => part.replace(/^\S+ /, ''))
      deepEqual(paths, pathsOf(set))
    }),
    runs,
  )
  t.pass()
})

const pathsOf = (set: PoolSet): string[] =>
  set.replicas.flatMap(replica => (replica.kind === 'local' ? replica.parts.map(part => part.path) : []))

const example = `PMEMPOOLSET
# the counter
OPTION SINGLEHDR # one header

# master
8M /mnt/a;1
+16MiB /mnt/b # second
OPTION NOHDRS SINGLEHDR

# mirror
REPLICA# here

20M /mnt/c
REPLICA user@[::1]:22 ../x.set #far
OPTION NOHDRS

# end
`

t.test('the YAML form has one item for a part and one for a replica', async t => {
  t.equal(
    printPoolSet(parse(example, 'text'), 'yaml'),
    `# the counter
options:
  - SINGLEHDR # one header

# master
replicas:
  - parts:
      - { size: 8M, path: "/mnt/a;1" }
      - { size: "+16MiB", path: /mnt/b } # second
      - option: NOHDRS SINGLEHDR

  # mirror
  - parts: # here

      - { size: 20M, path: /mnt/c }
  - remote: { node: "user@[::1]:22", set: "../x.set" } #far
  - option: NOHDRS

  # end
`,
  )
})

t.test('the INI form has one section for a replica', async t => {
  t.equal(
    printPoolSet(parse(example, 'text'), 'ini'),
    `# the counter
option[] = SINGLEHDR # one header

# master
[replica.0]
part[] = 8M /mnt/a\\;1
part[] = +16MiB /mnt/b # second
option[] = NOHDRS SINGLEHDR

# mirror
[replica.1] # here

part[] = 20M /mnt/c
[replica.2]
remote = user@[::1]:22 ../x.set #far
option[] = NOHDRS

# end
`,
  )
})

t.test('text is normalised in its blanks alone', async t => {
  const text = 'PMEMPOOLSET\r\nOPTIONSINGLEHDR\tNOHDRS\n\t8M \t /a#b\n\0\nREPLICA# c\n 9M  /b  \n#x'
  t.equal(
    printPoolSet(parse(text, 'text'), 'text'),
    'PMEMPOOLSET\nOPTION SINGLEHDR NOHDRS\n8M /a #b\n\nREPLICA# c\n9M /b\n#x\n',
  )
})

t.test('YAML may be written in other ways than rpmem prints it', async t => {
  const set = parse(
    `---
replicas: # mine
  - parts: [8M /a, { path: /b c, size: 9M }]
  - parts:
      - size: 10M   # ten
        path: '/d # e'
  - remote: node2 x.set
options: [NOHDRS]
`,
    'yaml',
  )
  t.same(set.options, { singleHeader: false, noHeaders: true })
  t.same(
    set.replicas.map(replica =>
      replica.kind === 'local' ? replica.parts.map(part => [part.size, part.path]) : replica,
    ),
    [
      [
        [8 << 20, '/a'],
        [9 << 20, '/b c'],
      ],
      [[10 << 20, '/d # e']],
      { kind: 'remote', node: 'node2', set: 'x.set' },
    ],
  )
  t.same(
    set.lines.filter(line => line.comment !== undefined).map(line => [line.kind, line.comment]),
    [
      ['comment', ' mine'],
      ['part', ' ten'],
    ],
  )
})

t.test('INI values may be quoted, and comments begin with either character', async t => {
  const text = '[replica.0]\n; one\npart[] = "8M /a;b\\u0041" ; two\n  part[]=\'9M /c#d\'\npart[] = 7M /e f\\\\g\n'
  const set = parse(text, 'ini')
  t.same(pathsOf(set), ['/a;bA', '/c#d', '/e f\\g'])
  t.equal(printPoolSet(set, 'ini').split('\n')[0], '# one')
  t.throws(() => printPoolSet(set, 'text'), { code: 'ERR_POOLSET_CONVERSION' })
})

t.test('a path that text cannot express passes between YAML and INI', async t => {
  const text = '[replica.0]\npart[] = "8M /a b "\npart[] = 8M /\\#\n'
  const set = parse(printPoolSet(parse(text, 'ini'), 'yaml'), 'yaml')
  t.equal(printPoolSet(parse(printPoolSet(set, 'ini'), 'ini'), 'yaml'), printPoolSet(set, 'yaml'))
  t.same(pathsOf(set), ['/a b ', '/#'])
})

t.test('a comment with control characters stays in text', async t => {
  const set = parse('PMEMPOOLSET\n8M /a # \x1b[31m\n', 'text')
  for (const notation of ['yaml', 'ini'] as const) {
    t.throws(() => printPoolSet(set, notation), { code: 'ERR_POOLSET_CONVERSION' })
  }
  t.equal(printPoolSet(set, 'text'), 'PMEMPOOLSET\n8M /a # \x1b[31m\n')
})

t.test('the signature decides before the extension, and the extension before the text form', async t => {
  t.equal(parsePoolSet('PMEMPOOLSET\n8M /a\n', { file: 'x.yaml', facts: noFiles }).replicas.length, 1)
  t.equal(parsePoolSet('replicas: [{parts: [8M /a]}]', { file: 'x.YML', facts: noFiles }).replicas.length, 1)
  t.equal(parsePoolSet('[replica.0]\npart[] = 8M /a', { file: 'x.ini', facts: noFiles }).replicas.length, 1)
  t.throws(() => parsePoolSet('replicas: []', { file: 'x', facts: noFiles }), { code: 'ERR_POOLSET_SYNTAX' })
  t.equal(notationOfFile('/a/b.set'), 'text')
  t.equal(notationOfFile('/a/b'), undefined)
})
