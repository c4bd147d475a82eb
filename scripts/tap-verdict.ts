import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Outcome, outcomeOf } from './tap-outcome.js'

/**
 * tap-verdict FILE… [--exit CODE] [--passed-steps N] [--failed-steps N] [--declared-skips FILE]: lists what failed or was
 * skipped in TAP reports and ends with the one line of verdict. CODE is tap's own exit code for the first of them, N counts
 * steps that tap knows nothing of. With --declared-skips, a skip that the file does not name counts as failed.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    exit: { type: 'string', default: '0' },
    'passed-steps': { type: 'string', default: '0' },
    'failed-steps': { type: 'string', default: '0' },
    'declared-skips': { type: 'string' },
  },
})
const outcomes = positionals.map(readOutcome)
const skips = outcomes.flatMap(outcome => outcome.skips)
const undeclared = undeclaredSkips(skips, values['declared-skips'])
const unexplained = values.exit !== '0' && outcomes[0]?.failed === 0 ? [`tap ended with exit code ${values.exit}`] : []
const failures = [
  ...outcomes.flatMap(outcome => outcome.failures),
  ...unexplained,
  ...undeclared.map(line => `undeclared skip: ${line}`),
]
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, Number(values['passed-steps']))
const failed = failures.length + Number(values['failed-steps'])
const skipped = skips.length - undeclared.length

for (const line of skips) console.log(`skipped: ${line}`)
for (const line of failures) console.log(`failed: ${line}`)
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed === 0 ? 0 : 1

function readOutcome(path: string): Outcome {
  try {
    return outcomeOf(readFileSync(path, 'utf8'))
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, failures: [`no report: ${String(error)}`], skips: [] }
  }
}

function undeclaredSkips(skips: readonly string[], path: string | undefined): string[] {
  if (path === undefined) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  const declared = lines.map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#'))
  return skips.filter(skip => !declared.some(piece => skip.includes(piece)))
}
