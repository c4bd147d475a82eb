import { parentPort, workerData } from 'node:worker_threads'
import { RemotePool } from '../initiator/index.js'
import { sampleSync } from './sample.js'
import type { ThreadTask, ThreadTimes } from './threads.js'

/** Persists its own part of the pool, one blocking call after the other, from the moment it is told to. */
const { token, offset, bytes, rounds } = workerData as ThreadTask
const remote = RemotePool.attach(token)

parentPort?.once('message', async () => {
  const sample = sampleSync(rounds, round => remote.persistSync(offset + ((round * bytes) % 65_536), bytes))
  const times: ThreadTimes = { us: Float64Array.from(sample.us) }
  parentPort?.postMessage(times)
  await remote.close()
})
parentPort?.postMessage('ready')
