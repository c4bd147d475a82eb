import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { Pool } from '../../initiator/index.js'
import { Load } from './load.js'
import { mirroredPool } from './mirrored-pool.js'
import { localSet, type TargetHost } from './target-host.js'

/** A thread on a pool that exists; its first message, 'open', has been heard. */
async function openInWorker(t: Test, host: TargetHost, set: string, how: string): Promise<Worker> {
  const workerData = { how, set, options: host.options }
  const worker = new Worker(new URL('pool-worker.js', import.meta.url), { workerData, execArgv: [] })
  t.teardown(() => worker.terminate())
  const [message] = await once(worker, 'message')
  t.equal(message, 'open')
  return worker
}

/** A further pool of the host, created and closed. */
async function created(host: TargetHost, name: string): Promise<string> {
  const folder = join(host.folder, name)
  const set = localSet(folder, `8M ${join(folder, 'master')}`, host.replica(name, [['8M', 'part']]))
  await (await Pool.create(set, { remote: host.options })).close()
  return set
}

t.test('threads with pools of their own work side by side, each with its daemon', async t => {
  const { host, pool } = await mirroredPool(t, ['main'])
  const sets = [await created(host, 'first'), await created(host, 'second')]
  const opened = sets.map(set => openInWorker(t, host, set, 'close'))
  // A thread may be done before the other has opened its pool: each is listened to as soon as it is open.
  const reports = opened.map(async worker => once(await worker, 'message'))
  const exits = opened.map(async worker => once(await worker, 'exit'))
  await Promise.all(opened)
  const load = new Load(pool)
  for (let at = 0; at < 50; at++) await load.persist()
  for (const report of reports) t.strictSame(await report, [{ confirmed: 50, failures: 0 }])
  for (const exit of exits) t.strictSame(await exit, [0])
  t.equal(load.confirmed.length, 50)
  await pool.close()
  t.not(await host.allEnd(), undefined, 'no daemon stays')
})

for (const how of ['busy', 'blocked']) {
  t.test(
    `a thread that is terminated while it persists (${how}) takes its daemon with it and nothing else`,
    async t => {
      const { host, pool } = await mirroredPool(t, ['main'])
      const set = await created(host, 'other')
      const worker = await openInWorker(t, host, set, how)
      const [message] = await once(worker, 'message')
      t.equal(message, 'busy')
      const daemon = host.daemonOf('other')
      await worker.terminate()
      t.not(await host.end(daemon), undefined, 'within two seconds')
      const load = new Load(pool)
      for (let at = 0; at < 10; at++) await load.persist()
      t.equal(load.failures.length, 0, 'the pool of the other thread goes on')
      const again = await Pool.open(set, { remote: host.options })
      again.persistSync(0, 64)
      await again.close()
      await pool.close()
      t.not(await host.allEnd(), undefined, 'no daemon stays')
    },
  )
}

t.test('a thread that returns without close ends, and its daemon with it', async t => {
  const { host, pool, set } = await mirroredPool(t, ['a'])
  await pool.close()
  await host.allEnd()
  const worker = await openInWorker(t, host, set, 'return')
  t.strictSame(await once(worker, 'exit'), [0])
  t.not(await host.allEnd(), undefined, 'no daemon stays')
  await (await Pool.open(set, { remote: host.options })).close()
})

t.test('a pool with targets cannot be handed to another thread, and says so', async t => {
  const { pool } = await mirroredPool(t, ['a'])
  t.throws(() => pool.share(), { code: 'ERR_POOLSET_UNSUITABLE', hint: /thread/ })
  pool.persistSync(0, 64)
  await pool.close()
})
