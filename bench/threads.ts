import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { MiB } from '../core/index.js'
import type { RemotePool, RemotePoolToken } from '../initiator/index.js'
import { type Flight, Sample } from './sample.js'

export interface ThreadTask {
  readonly token: RemotePoolToken
  readonly offset: number
  readonly bytes: number
  readonly rounds: number
}

/** Durations of the calls, in microseconds. */
export interface ThreadTimes {
  readonly us: Float64Array
}

/** So many worker threads persist side by side over the lanes of one connection, blocking, `rounds` times each. */
export async function sampleThreads(
  remote: RemotePool,
  threads: number,
  bytes: number,
  rounds: number,
): Promise<Flight> {
  const workers = Array.from({ length: threads }, (_, index) => {
    const workerData: ThreadTask = { token: remote.share(), offset: (index + 1) * MiB, bytes, rounds }
    return new Worker(new URL('threads-worker.js', import.meta.url), { workerData })
  })
  const exits = workers.map(worker => once(worker, 'exit'))
  await Promise.all(workers.map(worker => once(worker, 'message')))
  const begin = performance.now()
  const answers = workers.map(async worker => (await once(worker, 'message'))[0] as ThreadTimes)
  for (const worker of workers) worker.postMessage('go')
  const times = await Promise.all(answers)
  const seconds = (performance.now() - begin) / 1000
  await Promise.all(exits)
  const sample = new Sample(threads * rounds)
  for (const { us } of times) for (const each of us) sample.add(each)
  return { sample, seconds }
}
