import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readInputs, writeInput } from '../test/fuzz/corpus.js'
import { fuzzRun } from '../test/fuzz/fuzz-run.js'
import type { FuzzTarget } from '../test/fuzz/fuzz-target.js'
import { buildInstrumentedTree } from '../test/fuzz/instrumented-tree.js'
import { recordEvidence } from './evidence.js'
import { nativeTargets, scriptTargets } from './fuzz-target-names.js'
import { buildNative, keepNative, mustFail, runNative, smokeRunsOf } from './native-fuzz.js'

const usage = `npm run fuzz -- TARGET… [--time SECONDS] [--seed N] [--keep]
npm run fuzz -- TARGET --input FILE     runs one input
npm run fuzz -- --smoke [--seed N]      every target for a fixed number of executions
--keep puts what was found into test/fuzz/corpus/TARGET

targets: ${[...scriptTargets(), ...nativeTargets()].join(', ')}`

interface Result {
  readonly runs: number
  /** What came out otherwise than it should. */
  readonly complaint?: string
}

interface Limits {
  readonly seed: number
  /** 0: as many as the target wants in CI. */
  readonly seconds: number
  readonly keep: boolean
}

const nativeSmokeRuns = 200_000
/** A planted failure ends the run when it is found; the seed decides how soon. */
const nativePlantedRuns = 20_000_000
/** Of a corpus in TypeScript, the inputs that have taken most branches. */
const keptInputs = 40
const smokeSeed = 20261121
const plantedMs = 3000

async function fuzzScript(name: string, { seed, seconds, keep }: Limits): Promise<Result> {
  const { target } = (await import(`../test/fuzz/targets/${name}.js`)) as { target: FuzzTarget }
  const limits = seconds > 0 ? { seconds, maxRuns: Infinity } : { seconds: 600, maxRuns: target.smokeRuns ?? 100_000 }
  const corpus = readInputs(join('test/fuzz/corpus', name))
  const { runs, corpus: found, failure } = await fuzzRun({ target: name, seed, ...limits, corpus, ...longest(target) })
  if (keep) keepScript(name, target, found)
  if (target.mustFail) return { runs, ...(failure ? {} : { complaint: 'the planted failure was not seen' }) }
  if (failure === undefined) return { runs }
  const path = writeInput('build/fuzz/failures', failure.input)
  return { runs, complaint: `${failure.text}\nagain: npm run fuzz -- ${name} --input ${path}` }
}

const longest = (target: FuzzTarget) => (target.mustFail ? { longestRunMs: plantedMs } : {})

function keepScript(name: string, target: FuzzTarget, found: readonly { input: Uint8Array; features: number }[]): void {
  const folder = join('test/fuzz/corpus', name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const isSeed = (input: Uint8Array) => target.seeds.some(seed => Buffer.compare(seed, input) === 0)
  const fresh = found.filter(({ input }) => !isSeed(input)).sort((left, right) => right.features - left.features)
  for (const { input } of fresh.slice(0, keptInputs)) writeInput(folder, input)
}

function fuzzNative(name: string, { seed, seconds, keep }: Limits): Result {
  buildNative(name)
  const smokeRuns = mustFail(name) ? nativePlantedRuns : (smokeRunsOf(name) ?? nativeSmokeRuns)
  const { runs, failure } = runNative(name, seed, seconds > 0 ? 0 : smokeRuns, seconds)
  if (keep) console.log(`${keepNative(name)} inputs kept`)
  if (mustFail(name)) return { runs, ...(failure ? {} : { complaint: 'the planted failure was not seen' }) }
  if (failure === undefined) return { runs }
  return { runs, complaint: `${failure.text}\nagain: npm run fuzz -- ${name} --input ${failure.path}` }
}

/** Runs the targets one after the other; the results, told as they come. */
async function fuzz(names: readonly string[], limits: Limits): Promise<Result[]> {
  const results: Result[] = []
  for (const name of names) {
    const started = performance.now()
    const result = nativeTargets().includes(name) ? fuzzNative(name, limits) : await fuzzScript(name, limits)
    const seconds = (performance.now() - started) / 1000
    const verdict = result.complaint === undefined ? 'ok' : 'not ok'
    console.log(`${verdict} - ${name}, seed ${limits.seed}: ${result.runs} executions # ${seconds.toFixed(1)} s`)
    if (result.complaint !== undefined) console.log(result.complaint)
    results.push(result)
  }
  return results
}

async function smoke(seed: number): Promise<boolean> {
  const started = performance.now()
  const names = [...scriptTargets(), ...nativeTargets()]
  const results = await fuzz(names, { seed, seconds: 0, keep: false })
  const passed = results.every(({ complaint }) => complaint === undefined)
  recordEvidence({
    suite: 'fuzz',
    claim:
      'No foreign bytes lead a reader to anything but a value or an error of the catalogue, and planted failures are found',
    amount: { executions: results.reduce((sum, { runs }) => sum + runs, 0), targets: names.length },
    seeds: [seed],
    result: passed ? 'passed' : 'failed',
    seconds: (performance.now() - started) / 1000,
    again: 'npm run fuzz -- --smoke',
  })
  return passed
}

async function runInput(name: string, path: string): Promise<boolean> {
  if (nativeTargets().includes(name))
    throw new Error(`build/fuzz/native/${name} ${path} runs it, after npm run fuzz -- ${name}`)
  const { target } = (await import(`../test/fuzz/targets/${name}.js`)) as { target: FuzzTarget }
  await target.run(new Uint8Array(readFileSync(path)))
  console.log(`ok - ${name}: ${target.claim}`)
  return true
}

async function main(): Promise<boolean> {
  const { values, positionals: names } = parseArgs({
    allowPositionals: true,
    options: {
      time: { type: 'string', default: '60' },
      seed: { type: 'string' },
      input: { type: 'string' },
      keep: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
    },
  })
  const unknown = names.filter(name => ![...scriptTargets(), ...nativeTargets()].includes(name))
  if ((names.length === 0 && !values.smoke) || unknown.length > 0) {
    console.log(usage)
    return false
  }
  if (values.input !== undefined) return runInput(names[0] ?? '', values.input)
  buildInstrumentedTree()
  if (values.smoke) return smoke(Number(values.seed ?? smokeSeed))
  // A run that nobody seeds explores what the last one did not; the seed is told.
  const seed = Number(values.seed ?? Date.now() % 2 ** 31)
  const results = await fuzz(names, { seed, seconds: Number(values.time), keep: values.keep })
  return results.every(({ complaint }) => complaint === undefined)
}

process.exitCode = (await main()) ? 0 : 1
