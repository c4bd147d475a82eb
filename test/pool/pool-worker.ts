import { parentPort, workerData } from 'node:worker_threads'
import { isRpmemError } from '../../core/index.js'
import { Pool, type PoolToken } from '../../pool/index.js'

/** Attaches to a pool, persists its share of it, then tries once more when it is told that the owner has closed. */
const { token, from, count } = workerData as { token: PoolToken; from: number; count: number }
const pool = Pool.attach(token)
for (let at = from; at < from + count; at++) {
  pool.memsetPersistSync(at * 8, at % 251, 4)
  await pool.memsetPersist(at * 8 + 4, at % 251, 4)
}
const owned = pool.replicas.map(({ name }) => name)
parentPort?.postMessage({ owned, size: pool.size })
parentPort?.once('message', async () => {
  const outcome = await pool.persist(0, 8).then(
    () => 'persisted',
    error => (isRpmemError(error) ? error.code : String(error)),
  )
  await pool.close()
  parentPort?.postMessage(outcome)
})
