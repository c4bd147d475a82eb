import t from 'tap'
import { hasCode } from '../../core/index.js'
import { parseCommandLine } from '../../target/command-line.js'

const mistakesOf = (args: string[]): readonly (string | number)[] => {
  try {
    parseCommandLine(args)
  } catch (error) {
    if (hasCode(error, 'ERR_USAGE') && Array.isArray(error.facts.mistakes)) return error.facts.mistakes
    throw error
  }
  return []
}

t.test('no arguments leave everything at its default', async t => {
  t.strictSame(parseCommandLine([]), {
    negotiate: false,
    config: undefined,
    remove: undefined,
    force: false,
    poolSet: false,
    threads: 0,
    help: false,
    version: false,
    settings: {},
  })
})

t.test('the word negotiate is recognised and other words are ignored', async t => {
  t.equal(parseCommandLine(['what', 'negotiate', 'ever']).negotiate, true)
  t.equal(parseCommandLine(['--force', '--', 'negotiate']).negotiate, true)
  t.equal(parseCommandLine(['--poolset-dir', 'negotiate']).negotiate, false, 'the value of an option is no word')
})

t.test('every option of rpmemd(1) is accepted', async t => {
  const line = parseCommandLine(
    '-c f -r s.set -f -s -t 3 --poolset-dir /p --log-file /l --log-level info --persist-apm --persist-general'.split(
      ' ',
    ),
  )
  t.match(line, { config: 'f', remove: 's.set', force: true, poolSet: true, threads: 3 })
  t.strictSame(line.settings, {
    poolSetDir: '/p',
    logFile: '/l',
    useSyslog: false,
    logLevel: 'info',
    persistApm: true,
    persistGeneral: true,
  })
  t.match(parseCommandLine(['-hV']), { help: true, version: true })
  t.equal(parseCommandLine(['--use-syslog']).settings.useSyslog, true)
})

t.test('values may be attached or stand alone, and long names may be shortened', async t => {
  for (const args of [['--remove=a=b'], ['--remove', 'a=b'], ['--rem', 'a=b'], ['-ra=b'], ['-r', 'a=b'], ['-fsra=b']])
    t.equal(parseCommandLine(args).remove, 'a=b', args.join(' '))
  t.equal(parseCommandLine(['--poolset-dir', '--force']).settings.poolSetDir, '--force', 'as getopt_long takes it')
})

t.test('all mistakes of a command line are told at once', async t => {
  t.strictSame(
    mistakesOf(['--nonsense', '-x', '--pool', '--force=1', '--log-level', 'loud', '--config=', '-t', '-1', '--remove']),
    [
      'unknown option --nonsense',
      'unknown option -x',
      '--pool may mean --pool-set or --poolset-dir',
      '--force takes no value',
      '--remove needs a value',
      "--log-level: 'loud' is none of err, warn, notice, info, debug",
      '--config: the value is empty',
      "--nthreads: '-1' is not a number from 0 to 1024",
    ],
  )
})

t.test('the thread count is a small decimal number, and empty means the default', async t => {
  t.equal(parseCommandLine(['--nthreads=']).threads, 0)
  t.equal(parseCommandLine(['-t8']).threads, 8)
  for (const wrong of ['1025', '0x10', '1e3', ' 1', '99999999999999999999'])
    t.equal(mistakesOf(['-t', wrong]).length, 1, wrong)
})
