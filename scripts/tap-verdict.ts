import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Outcome, outcomeOf } from './tap-outcome.js'

/**
 * tap-verdict FILE [--exit CODE] [--failed-steps N]: lists what failed or was skipped in a TAP report and ends with the one
 * line of verdict. CODE is tap's own exit code, N the number of failed steps that tap knows nothing of.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { exit: { type: 'string', default: '0' }, 'failed-steps': { type: 'string', default: '0' } },
})
const outcome = read(positionals[0] ?? '')
const unexplained = values.exit !== '0' && outcome.failed === 0 ? [`tap ended with exit code ${values.exit}`] : []
const failures = [...outcome.failures, ...unexplained]
const failed = failures.length + Number(values['failed-steps'])

for (const line of outcome.skips) console.log(`skipped: ${line}`)
for (const line of failures) console.log(`failed: ${line}`)
console.log(`${outcome.passed} passed, ${failed} failed${outcome.skipped ? `, ${outcome.skipped} skipped` : ''}`)
process.exitCode = failed === 0 ? 0 : 1

function read(path: string): Outcome {
  try {
    return outcomeOf(readFileSync(path, 'utf8'))
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, failures: [`no report: ${String(error)}`], skips: [] }
  }
}
