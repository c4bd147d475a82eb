import t from 'tap'
import { outcomeOf } from '../../scripts/tap-outcome.js'
import { fileReports, joinReports, testCommand } from '../../scripts/vm/guest-tests.js'

const tests = { files: ['one', 'two'], limitMs: 5000, totalMs: 5000 }
const passing = 'TAP version 14\n# Subtest: a\n    ok 1 - it is so\n    1..1\nok 1 - a\n1..1\n'
const written = (name: string, tap: string, end: string) => `#lab begins ${name}\n${tap}${end}`

const verdict = (output: string) => outcomeOf(joinReports(fileReports(tests, output)))

t.test('each file of a guest runs under its limit, whatever became of the one before', async t => {
  const command = testCommand(tests, 'prelude')
  t.match(command, /^prelude\n/)
  t.match(command, /timeout 5 node dist\/test\/lab\/one\.test\.js[\s\S]*timeout 5 node dist\/test\/lab\/two\.test\.js/)
})

t.test('files that passed are counted by their tests', async t => {
  const output = written('one', passing, '#lab ends 0\n') + written('two', passing, '#lab ends 0\n')
  t.match(verdict(output), { passed: 2, failed: 0, skipped: 0 })
})

t.test('a test that failed in a guest fails here', async t => {
  const failing = passing.replace('    ok', '    not ok').replace('\nok', '\nnot ok')
  const output = written('one', failing, '#lab ends 1\n') + written('two', passing, '#lab ends 0\n')
  t.match(verdict(output), { passed: 1, failures: [/one > a/] })
})

t.test('a file whose process crashed has failed, though all it said was well', async t => {
  const output = written('one', passing, '#lab ends 139\n') + written('two', passing, '#lab ends 0\n')
  t.match(verdict(output), { failed: 1, failures: [/^one$/] })
})

t.test('a file that the guest did not live to finish has failed, and so has one that it never began', async t => {
  const { failures } = verdict(written('one', passing, ''))
  t.match(failures.join('\n'), /one: the guest ended before it[\s\S]*two: the guest ended before it/)
})
