import { deepEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  type FileFacts,
  isDirectorySet,
  isEmptyDirectorySet,
  localReplicas,
  measure,
  noFiles,
  type Plan,
  PoolSetSyntaxError,
  parsePoolSet,
  plan,
  remoteReplicas,
  requirePlan,
  withNextFiles,
} from '../../poolset/index.js'

const seed = 20261120
const planOf = (...lines: string[]): Plan =>
  plan(parsePoolSet(['PMEMPOOLSET', ...lines, ''].join('\n'), { facts: noFiles }))
const MiB = 1024 * 1024

t.test('each part has a header, and each header but the first costs the pool a page', async t => {
  const { replicas, poolSize, usableSize, reservation, violations } = planOf('8M /a', '8388609 /b', 'REPLICA', '20M /c')
  t.equal(poolSize, 16 * MiB - 4096)
  t.equal(usableSize, poolSize - 4096)
  t.equal(reservation, poolSize)
  t.same(violations, [])
  t.same(replicas[0], {
    parts: [
      { path: '/a', kind: 'file', size: 8 * MiB, hasHeader: true, poolOffset: 0, mappedSize: 8 * MiB, fileOffset: 0 },
      {
        path: '/b',
        kind: 'file',
        size: 8 * MiB + 1,
        hasHeader: true,
        poolOffset: 8 * MiB,
        mappedSize: 8 * MiB - 4096,
        fileOffset: 4096,
      },
    ],
    directories: [],
    reservation: poolSize,
    headers: 2,
    rawSize: 16 * MiB + 1,
    headerSize: 8192,
    size: poolSize,
    usableSize,
    spareSize: 0,
  })
  t.equal(replicas[1]?.spareSize, 4 * MiB + 4096)
})

t.test('SINGLEHDR leaves one header, NOHDRS none, and SINGLEHDR wins', async t => {
  const single = planOf('OPTION SINGLEHDR NOHDRS', '8M /a', '8M /b')
  t.same([single.poolSize, single.usableSize, single.replicas[0]?.headers], [16 * MiB, 16 * MiB - 4096, 1])
  const none = planOf('OPTION NOHDRS', '8M /a', '8M /b')
  t.same([none.poolSize, none.usableSize, none.replicas[0]?.headers], [16 * MiB, 16 * MiB, 0])
  t.same(
    none.replicas[0]?.parts.map(part => [part.hasHeader, part.fileOffset, part.poolOffset]),
    [
      [false, 0, 0],
      [false, 0, 8 * MiB],
    ],
  )
})

t.test('remote replicas are listed and do not bound the pool', async t => {
  const { remotes, replicas, poolSize } = planOf('8M /a', 'REPLICA node2 x.set', 'REPLICA node3 y.set')
  t.same(remotes, [
    { node: 'node2', set: 'x.set' },
    { node: 'node3', set: 'y.set' },
  ])
  t.same([replicas.length, poolSize], [1, 8 * MiB])
})

t.test('what forbids the use of a set is told all at once', async t => {
  const set = parsePoolSet('PMEMPOOLSET\n1 /a\nREPLICA\n-1 /b\n8M /c\n8M //c\n', { facts: noFiles })
  t.same(
    plan(set).violations.map(violation => [violation.rule, violation.replica, violation.path]),
    [
      ['part-size', 0, '/a'],
      ['size-limit', 1, '/b'],
      ['path-twice', 1, '//c'],
      ['pool-size', undefined, undefined],
    ],
  )
  t.throws(() => requirePlan(set), {
    code: 'ERR_POOLSET_UNSUITABLE',
    message: /\/a would have 1 bytes.*\/b would have/,
  })
  t.throws(() => requirePlan(set, { subject: 'the set x', against: ['it has a flaw'] }), {
    code: 'ERR_POOLSET_UNSUITABLE',
    message: /^the set x: it has a flaw; \/a would have 1 bytes.*\/b would have/,
  })
  t.throws(() => requirePlan(parsePoolSet('PMEMPOOLSET\n1M /a\n1M /b\n', { facts: noFiles })), {
    code: 'ERR_PART_SIZE',
    message: /\/a would have .*\/b would have/,
  })
  t.equal(requirePlan(parsePoolSet('PMEMPOOLSET\n2M /a\n', { facts: noFiles })).poolSize, 2 * MiB)
})

t.test('parts that are sane each can add up to more than any machine maps', async t => {
  const set = parsePoolSet('PMEMPOOLSET\n7P /a\n7P /b\n', { facts: noFiles })
  t.same(
    plan(set).violations.map(violation => violation.rule),
    ['size-limit'],
  )
})

const sizes = fc.array(fc.integer({ min: 4096, max: 40 * MiB }), { minLength: 1, maxLength: 6 })
const options = fc.constantFrom('', 'OPTION SINGLEHDR', 'OPTION NOHDRS', 'OPTION SINGLEHDR NOHDRS')

t.test('the parts cover the pool without gap or overlap, and the headers are what is missing', async t => {
  fc.assert(
    fc.property(sizes, options, (bytes, option) => {
      const lines = bytes.map((size, index) => `${size} /p${index}`)
      const { replicas, poolSize } = planOf(option, ...lines)
      const [replica] = replicas
      let offset = 0
      for (const part of replica?.parts ?? []) {
        equal(part.poolOffset, offset)
        equal(part.fileOffset + part.mappedSize, part.size - (part.size % 4096))
        offset += part.mappedSize
      }
      equal(offset, poolSize)
    }),
    { seed, numRuns: 500 },
  )
  t.pass()
})

t.test('the plan in numbers agrees with the exact measure', async t => {
  fc.assert(
    fc.property(sizes, sizes, options, (first, second, option) => {
      const lines = (name: string, bytes: number[]) => bytes.map((size, index) => `${size} /${name}${index}`)
      const text = ['PMEMPOOLSET', option, ...lines('a', first), 'REPLICA', ...lines('b', second), ''].join('\n')
      const set = parsePoolSet(text, { facts: noFiles })
      const [exact, numbers] = [measure(set), plan(set)]
      equal(BigInt(numbers.poolSize), exact.pool)
      deepEqual(
        numbers.replicas.map(replica => [replica.headers, BigInt(replica.size)]),
        exact.replicas.map(replica => [replica.headers, replica.size]),
      )
    }),
    { seed, numRuns: 200 },
  )
  t.pass()
})

const directories: FileFacts = {
  look: path => ({ kind: 'directory', realPath: path }),
  list: directory =>
    directory === '/d1'
      ? [
          { path: '/d1/000000.pmem', size: 8 * MiB },
          { path: '/d1/000002.pmem', size: 4 * MiB },
        ]
      : directory === '/d2'
        ? [{ path: '/d2/000001.pmem', size: 2 * MiB }]
        : [{ path: '/e1/000001.pmem', size: 2 * MiB }],
}

t.test('directories are reservations, and the files in them are the parts', async t => {
  const text = 'PMEMPOOLSET\nOPTION SINGLEHDR\n64M /d1\n32M /d2\nREPLICA\n128M /e1\n'
  const set = parsePoolSet(text, { facts: directories })
  t.ok(isDirectorySet(set))
  const { replicas, reservation, poolSize, violations } = plan(set)
  t.same([reservation, poolSize], [96 * MiB, 14 * MiB])
  t.same(violations, [])
  t.same(
    replicas.map(replica => replica.parts.map(part => part.path)),
    [
      ['/d1/000000.pmem', '/d2/000001.pmem', '/d1/000002.pmem'],
      ['/e1/000000.pmem', '/e1/000001.pmem', '/e1/000002.pmem'],
    ],
  )
  t.same(
    localReplicas(set)[1]
      ?.parts[0]?.files.filter(file => !file.exists)
      .map(file => file.path),
    ['/e1/000000.pmem', '/e1/000002.pmem'],
    'what the other replica has is missing here',
  )
  t.same(remoteReplicas(set), [])
  t.same(
    plan(parsePoolSet('PMEMPOOLSET\n64M /d2\n64M /d1\n', { facts: directories })).violations.map(
      violation => violation.rule,
    ),
    ['directory-options'],
  )
})

t.test('a directory set whose files are not parts 0, 1, 2 … of the right size cannot be used', async t => {
  const problems = (...files: [path: string, size: number][]) => {
    const facts: FileFacts = {
      look: path => ({ kind: 'directory', realPath: path }),
      list: directory => files.filter(([path]) => path.startsWith(directory)).map(([path, size]) => ({ path, size })),
    }
    const set = parsePoolSet('PMEMPOOLSET\nOPTION SINGLEHDR\n64M /d1\n64M /d2\n', { facts })
    return plan(set).violations.map(({ rule, path }) => [rule, path])
  }
  t.same(problems(['/d1/000000.pmem', 8 * MiB], ['/d2/1.pmem', 2 * MiB]), [])
  t.same(problems(['/d1/000000.pmem', 8 * MiB], ['/d2/000002.pmem', 2 * MiB]), [['directory-files', '/d2/000002.pmem']])
  t.same(problems(['/d1/000000.pmem', 8 * MiB], ['/d2/000000.pmem', 8 * MiB]), [['directory-files', '/d2/000000.pmem']])
  t.same(problems(['/d1/000000.pmem', 8 * MiB], ['/d1/copy.pmem', 8 * MiB])[0], ['directory-files', '/d1/copy.pmem'])
  t.same(problems(['/d1/000000.pmem', 8 * MiB], ['/d1/000001.pmem', 2 * MiB - 1]), [
    ['directory-files', '/d1/000001.pmem'],
  ])
})

t.test('each replica gets its next file, and the directories take turns', async t => {
  const facts: FileFacts = { look: path => ({ kind: 'directory', realPath: path }), list: () => [] }
  const text = 'PMEMPOOLSET\nOPTION SINGLEHDR\n64M /d1/\n32M /d2\nREPLICA\n128M /e1\n'
  let set = parsePoolSet(text, { facts })
  t.ok(isEmptyDirectorySet(set))
  for (const size of [8, 4, 2]) set = withNextFiles(set, size * MiB)
  t.notOk(isEmptyDirectorySet(set))
  t.same(
    plan(set).replicas.map(({ parts }) => parts.map(({ path, size, poolOffset }) => [path, size, poolOffset])),
    [
      [
        ['/d1/000000.pmem', 8 * MiB, 0],
        ['/d2/000001.pmem', 4 * MiB, 8 * MiB],
        ['/d1/000002.pmem', 2 * MiB, 12 * MiB],
      ],
      [
        ['/e1/000000.pmem', 8 * MiB, 0],
        ['/e1/000001.pmem', 4 * MiB, 8 * MiB],
        ['/e1/000002.pmem', 2 * MiB, 12 * MiB],
      ],
    ],
  )
  t.same(plan(set).reservation, 96 * MiB)
})

t.test('a directory whose files cannot be read is a mistake with the errno of the system', async t => {
  const list = () => {
    throw Object.assign(new Error('no'), { code: 'EACCES', errno: -13 })
  }
  try {
    parsePoolSet('PMEMPOOLSET\n64M /d1\n', { facts: { ...directories, list } })
    t.fail('the set was taken')
  } catch (error) {
    if (!(error instanceof PoolSetSyntaxError)) throw error
    t.match(error.mistakes[0], { rule: 'directory-unreadable', line: 2, column: 5, errno: 13 })
  }
})

t.test('AUTO takes the size of a Device DAX, which does not mix with files', async t => {
  const facts: FileFacts = {
    look: path => (path.startsWith('/dev/dax') ? { kind: 'device-dax', size: 512 * MiB } : { kind: 'missing' }),
    list: () => [],
  }
  const set = parsePoolSet('PMEMPOOLSET\nAUTO /dev/dax0.0\n256M /dev/dax1.0\n', { facts })
  t.same(
    localReplicas(set)[0]?.parts.map(part => [part.kind, part.size]),
    [
      ['device-dax', 512 * MiB],
      ['device-dax', 256 * MiB],
    ],
  )
  t.throws(() => parsePoolSet('PMEMPOOLSET\nAUTO /dev/dax0.0\n8M /a\n', { facts }), { message: /:3:4: / })
})
