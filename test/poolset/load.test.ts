import { execFileSync } from 'node:child_process'
import { mkdirSync, realpathSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  deviceFact,
  deviceNumber,
  loadPoolSet,
  localReplicas,
  PoolSetSyntaxError,
  printPoolSet,
  systemFiles,
} from '../../poolset/index.js'

const folder = realpathSync(t.testdir({}))
const file = (name: string, content = ''): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

t.test('a pool set is read in the notation that its content or its name tells', async t => {
  const text = await loadPoolSet(file('a.yaml', 'PMEMPOOLSET\n8M /a\n'))
  const yaml = await loadPoolSet(file('b.yaml', printPoolSet(text, 'yaml')))
  const ini = await loadPoolSet(file('c.ini', printPoolSet(yaml, 'ini')))
  t.same(ini, text)
})

t.test('a name without a file is ERR_POOLSET_MISSING', async t => {
  await t.rejects(loadPoolSet(join(folder, 'none.set')), { code: 'ERR_POOLSET_MISSING', cause: { code: 'ENOENT' } })
  await t.rejects(loadPoolSet(join(file('plain'), 'x.set')), {
    code: 'ERR_POOLSET_MISSING',
    cause: { code: 'ENOTDIR' },
  })
})

t.test('what cannot be read is ERR_POOLSET_UNREADABLE, and a FIFO does not wait', async t => {
  const fifo = join(folder, 'fifo.set')
  execFileSync('mkfifo', [fifo])
  symlinkSync('loop.set', join(folder, 'loop.set'))
  await t.rejects(loadPoolSet(folder), { code: 'ERR_POOLSET_UNREADABLE', message: /not a regular file/ })
  await t.rejects(loadPoolSet(fifo), { code: 'ERR_POOLSET_UNREADABLE' })
  await t.rejects(loadPoolSet(join(folder, 'loop.set')), { code: 'ERR_POOLSET_UNREADABLE', cause: { code: 'ELOOP' } })
})

t.test('a file of a tebibyte is refused without being read', async t => {
  const path = file('huge.set', 'PMEMPOOLSET\n')
  truncateSync(path, 2 ** 40)
  await t.rejects(loadPoolSet(path), { code: 'ERR_POOLSET_SYNTAX', mistakes: [{ rule: 'file-size' }] })
})

t.test('all mistakes of a file come at once, with its name', async t => {
  const path = file('bad.set', 'PMEMPOOLSET\n8Q /a\nREPLICA node\nOPTION X\n')
  const error: unknown = await loadPoolSet(path).catch((reason: unknown) => reason)
  if (!(error instanceof PoolSetSyntaxError)) throw error
  t.equal(error.file, path)
  t.same(
    error.mistakes.map(mistake => [mistake.rule, mistake.line, mistake.column, mistake.source]),
    [
      ['size-format', 2, 1, '8Q /a'],
      ['remote-fields', 3, 9, 'REPLICA node'],
      ['unknown-option', 4, 8, 'OPTION X'],
    ],
  )
  t.match(error.message, `${path}:2:1: `)
  t.match(error.message, '(and 2 more)')
})

t.test('the file system tells files, directories and devices apart', async t => {
  const directory = join(folder, 'pool')
  mkdirSync(directory)
  symlinkSync(directory, join(folder, 'link'))
  writeFileSync(join(directory, '000001.pmem'), 'abc')
  writeFileSync(join(directory, '000000.pmem'), '')
  writeFileSync(join(directory, 'other.txt'), '')
  mkdirSync(join(directory, 'x.pmem'))
  t.same(systemFiles.look(join(folder, 'none')), { kind: 'missing' })
  t.same(systemFiles.look(file('four', 'four')), { kind: 'file', size: 4 })
  t.same(systemFiles.look('/dev/null'), { kind: 'device' })
  t.same(systemFiles.look(join(folder, 'link')), { kind: 'directory', realPath: directory })
  t.same(systemFiles.list(directory), [
    { path: join(directory, '000000.pmem'), size: 0 },
    { path: join(directory, '000001.pmem'), size: 3 },
  ])
  const set = await loadPoolSet(file('dir.set', `PMEMPOOLSET\nOPTION SINGLEHDR\n64M ${directory}\n`))
  t.equal(localReplicas(set)[0]?.parts[0]?.files.length, 2)
  await t.rejects(loadPoolSet(file('twice.set', `PMEMPOOLSET\n64M ${directory}\n64M ${join(folder, 'link')}\n`)), {
    code: 'ERR_POOLSET_SYNTAX',
    mistakes: [{ rule: 'directory-twice', line: 3 }],
  })
})

t.test('a Device DAX is known by its subsystem, and its size stands in sysfs', async t => {
  const sysfs = join(folder, 'sys')
  for (const [number, subsystem] of [
    ['252:1', 'bus/dax'],
    ['1:3', 'class/mem'],
  ] as const) {
    mkdirSync(join(sysfs, subsystem), { recursive: true })
    mkdirSync(join(sysfs, 'dev/char', number), { recursive: true })
    symlinkSync(join(sysfs, subsystem), join(sysfs, 'dev/char', number, 'subsystem'))
  }
  writeFileSync(join(sysfs, 'dev/char/252:1/size'), '2147483648\n')
  t.same(deviceFact(0xfc01n, sysfs), { kind: 'device-dax', size: 2 ** 31 })
  t.same(deviceFact(0x0103n, sysfs), { kind: 'device' })
  t.same(deviceFact(0x0909n, sysfs), { kind: 'device' })
})

t.test('a device number splits as gnu_dev_major and gnu_dev_minor split it', async t => {
  t.same(deviceNumber(0xfc01n), { major: 252n, minor: 1n })
  t.same(deviceNumber(0xabcde98765412332n), { major: 0xabcde123n, minor: 0x98765432n })
})
