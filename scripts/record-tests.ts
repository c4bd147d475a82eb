import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { recordEvidence } from './evidence.js'
import { outcomeOf } from './tap-outcome.js'

/** record-tests FILE --seconds N: the evidence of a TAP report of all tests. */
const { values, positionals } = parseArgs({ allowPositionals: true, options: { seconds: { type: 'string' } } })
const { passed, failed, skipped } = outcomeOf(readFileSync(positionals[0] ?? '', 'utf8'))

recordEvidence({
  suite: 'tests',
  claim: 'Every room keeps the sentences that its tests are named after',
  amount: { passed, failed, skipped },
  seeds: ['those in the names of the tests'],
  result: failed === 0 ? 'passed' : 'failed',
  seconds: Number(values.seconds),
  again: 'scripts/test',
})
