import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { outcomeOf } from './tap-outcome.js'
import { describe, drawSeed, runPowerCuts } from './vm/power-cuts.js'
import { runCommand } from './vm/run-command.js'
import { recordAbsence, runSuite } from './vm/suite.js'
import { suites } from './vm/suites.js'

const usage = `scripts/lab run [--rdma] [--two] [--disk MIB] [--nvdimm MIB] [--time SECONDS] [--keep] -- COMMAND
scripts/lab test [SUITE…] [--tap FILE]     suites: ${suites.map(({ name }) => name).join(', ')}
scripts/lab powercut [-n CUTS] [--seed SEED]`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rdma: { type: 'boolean', default: false },
    two: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    disk: { type: 'string' },
    nvdimm: { type: 'string' },
    time: { type: 'string', default: '300' },
    tap: { type: 'string', default: 'dist/lab-results.tap' },
    n: { type: 'string', short: 'n', default: '20' },
    seed: { type: 'string' },
    absent: { type: 'boolean', default: false },
  },
})
const [verb, ...words] = positionals

async function test(names: readonly string[]): Promise<number> {
  const unknown = names.filter(name => !suites.some(suite => suite.name === name))
  if (unknown.length > 0) return misused(`no suite ${unknown.join(', ')}`)
  const chosen = suites.filter(({ name }) => names.length === 0 || names.includes(name))
  if (values.absent) return skip(chosen)
  const parts: string[] = []
  for (const [n, suite] of chosen.entries()) {
    const tap = await runSuite(suite)
    const inner = tap.replaceAll(/^(?!TAP version)(?=.)/gm, '    ').replace(/^TAP version.*\n/gm, '')
    const verdict = outcomeOf(tap).failed === 0 ? 'ok' : 'not ok'
    parts.push(`# Subtest: lab ${suite.name}\n${inner}${verdict} ${n + 1} - lab ${suite.name}\n`)
  }
  const tap = `TAP version 14\n${parts.join('\n')}1..${chosen.length}\n`
  writeFileSync(values.tap, tap)
  return outcomeOf(tap).failed === 0 ? 0 : 1
}

/** Nothing can run here: scripts/setup has said why. */
function skip(chosen: typeof suites): number {
  const reason = 'no guest can be set up on this machine'
  const lines = chosen.map((suite, n) => {
    recordAbsence(suite, reason)
    return `ok ${n + 1} - lab ${suite.name} # SKIP ${reason}\n`
  })
  writeFileSync(values.tap, `TAP version 14\n${lines.join('')}1..${lines.length}\n`)
  return 0
}

async function powercut(): Promise<number> {
  const seed = values.seed === undefined ? drawSeed() : Number(values.seed)
  const { tap, amount } = await runPowerCuts({
    cuts: Number(values.n),
    seed,
    onCut: cut => console.log(describe(cut)),
  })
  console.table(amount)
  const { failed, failures } = outcomeOf(tap)
  for (const line of failures) console.log(line)
  return failed === 0 ? 0 : 1
}

function misused(complaint: string): number {
  console.error(`${complaint}\n${usage}`)
  return 2
}

if (verb === 'run' && words.length > 0) process.exitCode = await runCommand(words.join(' '), values)
else if (verb === 'test') process.exitCode = await test(words)
else if (verb === 'powercut') process.exitCode = await powercut()
else process.exitCode = misused('nothing to do')
