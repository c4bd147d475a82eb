import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hasCode, RpmemError } from '../../core/index.js'
import { loadSettings } from '../../target/config.js'
import { parseConfig } from '../../target/config-file.js'
import { expandPoolSetDir } from '../../target/pool-set-path.js'

const failureOf = (action: () => unknown): RpmemError => {
  try {
    action()
  } catch (error) {
    if (error instanceof RpmemError) return error
    throw error
  }
  throw new Error('this should have failed')
}

t.test('keys and values are trimmed, comments and blank lines are skipped', async t => {
  const text =
    '# comment\n\n  \t\r\n log-file\t= /var/log/x y.log \r\npoolset-dir=/pools#behind a value\nlog-level = debug'
  t.strictSame(parseConfig(text, 'f'), {
    patch: { logFile: '/var/log/x y.log', useSyslog: false, poolSetDir: '/pools', logLevel: 'debug' },
    mistakes: [],
  })
})

t.test('the first = separates, quotes are literal, the last of a repeated key counts', async t => {
  const { patch } = parseConfig('log-file = "/a=b=c"\npersist-apm = yes\npersist-apm = no', 'f')
  t.strictSame(patch, { logFile: '"/a=b=c"', useSyslog: false, persistApm: false })
})

t.test('each rule of the file has its own message at its own place', async t => {
  const cases: [string, number, RegExp][] = [
    ['log-file', 9, /'=' is missing/],
    ['log-file # = /x', 9, /'=' is missing/],
    ['  = value', 3, /key is empty/],
    ['log-file =', 11, /value is empty/],
    ['log-file = # /x', 11, /value is empty/],
    ['log-fil = /x', 1, /'log-fil' is none of log-file/],
    ['\tnthreads = 3', 2, /only be given on the command line/],
    ['config = /x', 1, /only be given on the command line/],
    ['persist-apm = true', 15, /must be yes or no, not 'true'/],
    ['use-syslog = Yes', 14, /must be yes or no/],
    ['log-level = loud', 13, /none of err, warn, notice, info, debug/],
    ['poolset-dir = pools', 15, /'pools' is not an absolute path/],
    ['poolset-dir = ~/pools', 15, /not an absolute path/],
    ['poolset-dir = $HOMEpools', 15, /not an absolute path/],
    ['__proto__ = x', 1, /is none of/],
    ['constructor = x', 1, /is none of/],
  ]
  for (const [source, column, message] of cases) {
    const { mistakes, patch } = parseConfig(`persist-general = no\n${source}\n`, 'f')
    t.match(mistakes, [{ file: 'f', line: 2, column, source: source.trimEnd() }], source)
    t.match(mistakes[0]?.message ?? '', message, source)
    t.strictSame(patch, { persistGeneral: false }, 'what is right is still read')
  }
})

t.test('later sources win: defaults, global file, file of the user, command line', async t => {
  const dir = t.testdir({
    global: 'log-level = info\npersist-apm = yes\npoolset-dir = /global',
    home: { '.rpmemd.conf': 'log-level = debug\npoolset-dir = /user' },
  })
  const places = { globalFile: join(dir, 'global'), home: join(dir, 'home') }
  t.match(loadSettings({ config: undefined, settings: { poolSetDir: '/line' } }, places), {
    logLevel: 'debug',
    persistApm: true,
    persistGeneral: true,
    useSyslog: true,
    poolSetDir: '/line',
    logFile: '/var/log/rpmemd.log',
  })
})

t.test('missing files leave the defaults, with the home directory as poolset-dir', async t => {
  const home = t.testdir({})
  const settings = loadSettings({ config: undefined, settings: {} }, { globalFile: join(home, 'none'), home })
  t.match(settings, { poolSetDir: home, logLevel: 'err', useSyslog: true, persistApm: false })
})

t.test('--config reads that file and no other, and the file must exist', async t => {
  const dir = t.testdir({ one: 'log-level = warn', global: 'persist-apm = yes' })
  const places = { globalFile: join(dir, 'global'), home: dir }
  const settings = loadSettings({ config: join(dir, 'one'), settings: {} }, places)
  t.match(settings, { logLevel: 'warn', persistApm: false })
  const error = failureOf(() => loadSettings({ config: join(dir, 'none'), settings: {} }, places))
  t.match(error, { code: 'ERR_CONFIG', errno: 2 })
})

t.test('a configuration file that is a directory or unreadable is an error', async t => {
  const home = t.testdir({ '.rpmemd.conf': {} })
  t.match(
    failureOf(() => loadSettings({ config: undefined, settings: {} }, { globalFile: join(home, 'none'), home })),
    { code: 'ERR_CONFIG', errno: 5 },
  )
  if (process.getuid?.() === 0) return
  const file = join(home, 'secret')
  writeFileSync(file, '')
  chmodSync(file, 0)
  t.match(
    failureOf(() => loadSettings({ config: file, settings: {} }, { globalFile: file, home })),
    { code: 'ERR_CONFIG', errno: 13 },
  )
})

t.test('the mistakes of all files are told at once, with a caret below each', async t => {
  const dir = t.testdir({ global: 'nonsense = 1', home: { '.rpmemd.conf': '\tlog-level = loud\n=' } })
  const places = { globalFile: join(dir, 'global'), home: join(dir, 'home') }
  const error = failureOf(() => loadSettings({ config: undefined, settings: {} }, places))
  t.ok(hasCode(error, 'ERR_CONFIG'))
  t.equal(error.errno, 22)
  const user = join(dir, 'home', '.rpmemd.conf')
  t.equal(
    error.message,
    [
      '3 mistakes in the configuration',
      `${join(dir, 'global')}:1:1: 'nonsense' is none of log-file, poolset-dir, persist-apm, persist-general, use-syslog, log-level`,
      '    nonsense = 1',
      '    ^',
      `${user}:1:14: log-level: 'loud' is none of err, warn, notice, info, debug`,
      '    \tlog-level = loud',
      '    \t            ^',
      `${user}:2:1: the key is empty`,
      '    =',
      '    ^',
    ].join('\n'),
  )
})

t.test('$HOME is expanded once and only as a whole word', async t => {
  const rows: [string, string][] = [
    ['$HOME/x', '/home/u/x'],
    ['$HOME_x', '/home/u_x'],
    ['$HOME', '/home/u'],
    ['/pre$HOME/$HOME', '/pre/home/u/$HOME'],
    ['/$HOMEx/$HOME', '/$HOMEx/$HOME'],
    ['/$HOME1', '/$HOME1'],
    ['/~/x', '/~/x'],
  ]
  for (const [text, path] of rows) t.equal(expandPoolSetDir(text, '/home/u'), path, text)
  for (const text of ['relative', '~/x', '$HOMEx', './$HOME'])
    t.match(
      failureOf(() => expandPoolSetDir(text, '/home/u')),
      { code: 'ERR_CONFIG', errno: 22 },
      text,
    )
})

t.test('a home below a file counts as a home without a configuration', async t => {
  const dir = t.testdir({ file: '' })
  mkdirSync(join(dir, 'empty'))
  const settings = loadSettings(
    { config: undefined, settings: {} },
    { globalFile: join(dir, 'empty/x'), home: join(dir, 'file') },
  )
  t.equal(settings.logLevel, 'err')
})
