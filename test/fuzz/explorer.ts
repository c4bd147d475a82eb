import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../../core/index.js'
import { BranchCoverage } from './branch-coverage.js'
import { Exploration, type Found } from './exploration.js'
import { type FuzzTarget, utf8 } from './fuzz-target.js'
import { branchCounters } from './instrumentation.js'
import { instrumentedFiles } from './instrumented-tree.js'
import { WatchedInput } from './watched-input.js'

export interface ExplorerTask {
  readonly target: string
  readonly seed: number
  readonly seconds: number
  readonly maxRuns: number
  readonly corpus: readonly Uint8Array[]
  readonly memory: SharedArrayBuffer
}

/** What the thread sends at its end. */
export interface ExplorerReport {
  readonly runs: number
  readonly features: number
  readonly corpus: readonly Found[]
  readonly failure?: { readonly input: Uint8Array; readonly text: string }
}

const looksPerClock = 64

/** A thread of the instrumented tree: explores one target and sends a report. */
async function main(task: ExplorerTask): Promise<ExplorerReport> {
  const files = instrumentedFiles()
  const last = files.at(-1)
  const counters = branchCounters().subarray(0, (last?.first ?? 0) + (last?.counters ?? 0))
  const { target } = (await import(`./targets/${task.target}.js`)) as { target: FuzzTarget }
  const watched = new WatchedInput(task.memory)
  const coverage = new BranchCoverage(counters)
  const end = performance.now() + task.seconds * 1000
  const reached = new Set<string>()
  const explored = await new Exploration({
    target,
    coverage,
    seed: task.seed,
    corpus: [...target.seeds, ...task.corpus],
    onInput: input => watched.set(input),
    words: () => {
      for (const file of files) {
        if (coverage.everReached(file.first, file.counters)) for (const word of file.literals) reached.add(word)
      }
      return [...(target.words ?? []), ...reached].map(utf8)
    },
    goesOn: runs => runs < task.maxRuns && (runs % looksPerClock !== 0 || performance.now() < end),
  }).explore()
  const { runs, features, corpus, failure } = explored
  return { runs, features, corpus, ...(failure && { failure: { input: failure.input, text: textOf(failure.error) } }) }
}

const textOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

assert(parentPort !== null, 'the explorer is a thread')
parentPort.postMessage(await main(workerData as ExplorerTask))
// In order, so that a target can remove what it made.
process.exit()
