import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ExplorerReport, ExplorerTask } from './explorer.js'
import { instrumentedTree } from './instrumented-tree.js'
import { WatchedInput } from './watched-input.js'

const memoryMiB = 1024

/**
 * Explores a target in a thread of its own, which is ended when one input keeps it busy for too long or takes all memory: both
 * are failures, with their input. `longestRunMs`: how long one input may take, default 20 s. The instrumented tree must be there.
 */
export function fuzzRun(
  task: Omit<ExplorerTask, 'memory'> & { readonly longestRunMs?: number },
): Promise<ExplorerReport> {
  const { longestRunMs = 20_000 } = task
  const watched = new WatchedInput()
  const worker = new Worker(join(instrumentedTree, 'dist/test/fuzz/explorer.js'), {
    workerData: { ...task, memory: watched.memory } satisfies ExplorerTask,
    resourceLimits: { maxOldGenerationSizeMb: memoryMiB },
  })
  return new Promise(resolve => {
    const settle = (report: ExplorerReport) => {
      clearInterval(watch)
      resolve(report)
    }
    const fail = (text: string) => {
      void worker.terminate()
      settle({ runs: watched.count, features: 0, corpus: [], failure: { input: watched.input, text } })
    }
    let [seen, since] = [-1, 0]
    const watch = setInterval(() => {
      const now = performance.now()
      if (watched.count !== seen) [seen, since] = [watched.count, now]
      else if (seen > 0 && now - since > longestRunMs) fail(`this input takes longer than ${longestRunMs} ms`)
    }, 500)
    worker.once('message', settle)
    worker.once('error', error => fail(error.stack ?? String(error)))
    worker.once('exit', code => fail(`the thread ended with ${code}`))
  })
}
