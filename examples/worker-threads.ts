/** Worker threads write into one open pool, each over a lane of its own. Argument: a pool set. */
import { once } from 'node:events'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { Pool, type PoolToken } from 'rpmem'

interface Task {
  readonly token: PoolToken
  readonly index: number
}

const stride = 64

async function lead(set: string): Promise<void> {
  const pool = await Pool.create(set, { signature: 'WORKERS' })
  const token = pool.share()
  const workers = [0, 1, 2].map(index => new Worker(new URL(import.meta.url), { workerData: { token, index } }))
  await Promise.all(workers.map(worker => once(worker, 'exit')))
  const marks = workers.map((_, index) => pool.view(index * stride, 1)[0])
  console.log(`marks of the workers: ${marks.join(', ')}`)
  await pool.close()
}

async function work({ token, index }: Task): Promise<void> {
  const pool = Pool.attach(token)
  pool.memsetPersistSync(index * stride, index + 1, stride) // durable on all replicas, or it throws
  await pool.close()
}

await (isMainThread ? lead(process.argv[2] ?? 'workers.set') : work(workerData))
