import { parentPort, workerData } from 'node:worker_threads'
import { Pool } from '../../pool/index.js'

/** Stores into two pages of the pool and persists the first. */
const pool = Pool.attach(workerData)
const view = pool.view(0, 8192)
view[0] = 1
view[4097] = 1
pool.persistSync(0, 1)
await pool.close()
parentPort?.postMessage('done')
