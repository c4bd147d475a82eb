import t from 'tap'
import { outcomeOf } from '../../scripts/tap-outcome.js'

const report = (...lines: string[]) => `TAP version 14\n${lines.join('\n')}\n`

t.test('tests that assert something are counted, whatever their depth', async t => {
  const outcome = outcomeOf(
    report(
      '# Subtest: a.test.js',
      '    # Subtest: outer',
      '        ok 1 - holds',
      '        # Subtest: inner',
      '            ok 1 - holds',
      '            ok 2 - holds',
      '            1..2',
      '        ok 2 - inner',
      '        1..2',
      '    ok 1 - outer',
      '    1..1',
      'ok 1 - a.test.js',
      '1..1',
    ),
  )
  t.match(outcome, { passed: 2, failed: 0, skipped: 0 })
})

t.test('a failure counts once, where it happened', async t => {
  const outcome = outcomeOf(
    report(
      '# Subtest: a.test.js',
      '    # Subtest: good',
      '        ok 1 - holds',
      '        1..1',
      '    ok 1 - good',
      '    # Subtest: bad',
      '        not ok 1 - holds',
      '        1..1',
      '    not ok 2 - bad',
      '    1..2',
      'not ok 1 - a.test.js',
      '1..1',
    ),
  )
  t.match(outcome, { passed: 1, failed: 1, failures: ['a.test.js > bad'] })
})

t.test('a file without tests and a test without assertions are failures', async t => {
  const outcome = outcomeOf(
    report(
      '# Subtest: a.test.js',
      '    1..0 # no tests found',
      'ok 1 - a.test.js # SKIP no tests found',
      '# Subtest: b.test.js',
      '    # Subtest: empty',
      '        1..0',
      '    ok 1 - empty',
      '    1..1',
      'ok 2 - b.test.js',
      '1..2',
    ),
  )
  t.match(outcome, {
    passed: 0,
    failures: ['a.test.js: a file without tests', 'b.test.js > empty: a test without assertions'],
  })
})

t.test('a conditional skip is told with its reason', async t => {
  const outcome = outcomeOf(
    report(
      '# Subtest: a.test.js',
      '    ok 1 - x # SKIP no device',
      '    ok 2 - y',
      '    1..2',
      'ok 1 - a.test.js',
      '1..1',
    ),
  )
  t.match(outcome, { passed: 1, failed: 0, skips: ['a.test.js > x: no device'] })
})

t.test('an empty report, one cut short and a bail-out are failures', async t => {
  t.match(outcomeOf(''), { failed: 1, failures: ['nothing ran'] })
  t.match(outcomeOf(report('ok 1 - a', '1..2')).failures.length > 0, true)
  t.match(outcomeOf(report('Bail out! no disk')).failures.join().includes('no disk'), true)
})
