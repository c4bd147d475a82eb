import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { pageSize } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { Pool } from '../../pool/index.js'
import { scratch, writeSet } from './scratch.js'
import { connectorTo, ScriptedTarget } from './scripted-target.js'

t.test('worker threads persist into the pool that one thread opened', async t => {
  const directory = scratch(t)
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA', `2M ${directory}/b`)
  const pool = await Pool.create(set)
  const [each, token] = [500, pool.share()]
  const workers = [0, 1, 2].map(index => {
    const workerData = { token, from: index * each, count: each }
    return new Worker(new URL('pool-worker.js', import.meta.url), { workerData })
  })
  for (const [done] of await Promise.all(workers.map(worker => once(worker, 'message')))) {
    t.strictSame(done, { owned: ['master', 'local replica 1'], size: pool.size })
  }
  const expected = new Uint8Array(workers.length * each * 8).map((_, at) => (at >> 3) % 251)
  const found = new Uint8Array(expected.length)
  pool.read(0, found)
  t.ok(Buffer.from(found).equals(expected), 'the master')
  await pool.close()
  const local = readFileSync(`${directory}/b`).subarray(pageSize, pageSize + expected.length)
  t.ok(local.equals(expected), 'the local replica')
  for (const worker of workers) {
    const answered = once(worker, 'message')
    const ended = once(worker, 'exit')
    worker.postMessage('closed')
    t.strictSame(await answered, ['ERR_CLOSED'], 'the owner has closed')
    await ended
  }
  t.throws(() => Pool.attach(token), { code: 'ERR_CLOSED' })
  t.throws(() => pool.share(), { code: 'ERR_CLOSED' })
  await (await Pool.open(set)).close()
})

t.test('closing an attached pool leaves the owner in business', async t => {
  const directory = scratch(t)
  const pool = await Pool.create(writeSet(directory, 'x.set', `2M ${directory}/a`))
  const attached = Pool.attach(pool.share())
  attached.memsetPersistSync(0, 9, 8)
  await attached.close()
  pool.persistSync(0, 8)
  t.strictSame(pool.view(0, 8).slice(), new Uint8Array(8).fill(9))
  await pool.close()
})

t.test('a remote replica is shared and attached by whoever connects to targets', async t => {
  const directory = scratch(t)
  const target = new ScriptedTarget('node')
  const connectRemote = connectorTo(target)
  const pool = await Pool.create(writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA node x'), { connectRemote })
  const token = structuredClone(pool.share())
  const seen: unknown[] = []
  const attached = Pool.attach(token, (name, connection) => {
    seen.push(name, connection)
    return target.connect({ node: 'node', set: 'x', memory: NativeMemory.anonymous(pageSize), size: pool.size })
  })
  t.strictSame(seen, ['node x', 'node'])
  t.strictSame(
    attached.replicas.map(({ name, kind }) => [name, kind]),
    pool.replicas.map(({ name, kind }) => [name, kind]),
  )
  t.throws(() => Pool.attach(token), { code: 'ERR_POOLSET_UNSUITABLE' }, 'nothing attaches to targets')
  const failing = () => {
    throw new Error('on purpose')
  }
  t.throws(() => Pool.attach(token, failing), /on purpose/)
  await attached.close()
  await pool.close()
  t.throws(() => Pool.attach(token, failing), { code: 'ERR_CLOSED' }, 'the memory was closed')
})

t.test('a pool that keeps its replicas stays with its thread', async t => {
  const directory = scratch(t)
  const connectRemote = connectorTo(new ScriptedTarget('node'))
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA node x')
  const pool = await Pool.create(set, { connectRemote, policy: { onReplicaLost: 'degrade' } })
  t.throws(() => pool.share(), { code: 'ERR_THREAD', hint: /policy/ })
  await pool.close()
})
