import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { MiB, pageSize, RpmemError, systemClock } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { type Policy, Pool, RecordFile } from '../../pool/index.js'
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

/** A pool with a target, owned here and attached here: what other threads do can be done in one, step by step. */
async function shared(t: Test, policy: Policy) {
  const directory = scratch(t)
  const target = new ScriptedTarget('node')
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA node x')
  const clock = {
    nowMs: systemClock.nowMs,
    after: (ms: number, call: () => void) => systemClock.after(ms, call, 'holds'),
  }
  const options = { connectRemote: connectorTo(target), resync: { backOff: { firstMs: 1, mostMs: 2 } }, policy, clock }
  const pool = await Pool.create(set, options)
  const attach = () =>
    Pool.attach(structuredClone(pool.share()), () =>
      target.connect({ node: 'node', set: 'x', memory: attached.memory, size: pool.size }),
    )
  const attached = { memory: NativeMemory.anonymous(2 * MiB) }
  const inStep = async () => {
    while (pool.state === 'degraded') await once(pool, 'replica-state')
  }
  return { directory, set, options, target, pool, attach, inStep }
}

const lost = () => new RpmemError('ERR_TARGET_LOST', 'the connection broke')

t.test('what another thread could not send is recorded, and the thread that keeps the replica sends it', async t => {
  const { target, pool, attach, inStep } = await shared(t, { onReplicaLost: 'degrade' })
  const other = attach()
  other.memsetPersistSync(0, 1, 8)
  target.refusing = lost()
  target.die(lost())
  t.equal(other.state, 'degraded')
  t.equal(other.memsetPersistSync(5 * pageSize, 7, 8).replicas[1]?.level, 'none')
  t.equal(pool.replicas[1]?.missingBytes, pageSize, 'this thread sees it')
  target.refusing = undefined
  await inStep()
  t.equal(target.bytes[6 * pageSize], 7, 'it has arrived')
  t.equal(other.state, 'open')
  t.equal(other.persistSync(0, 8).replicas[1]?.level, 'received', 'over the new connection')
  await other.close()
  await pool.close()
})

t.test('a miss of another thread puts a replica out of step whose connection looks well', async t => {
  const { target, pool, attach, inStep } = await shared(t, {})
  const other = attach()
  target.failing = lost()
  const left = once(pool, 'replica-lost')
  t.throws(() => other.memsetPersistSync(0, 1, 8), { code: 'ERR_PERSIST', durability: 'local' })
  t.equal(other.state, 'degraded')
  const holding = setTimeout(() => {}, 10_000)
  t.match(await left, [{ replica: 'node x' }])
  clearTimeout(holding)
  await inStep()
  t.equal(target.bytes[pageSize], 1)
  t.equal(target.record?.lineage.current.number, 2, 'a generation has begun in the other thread')
  other.persistSync(0, 8)
  await other.close()
  await pool.close()
})

t.test('a pool that ends while another thread uses it is compared as after a crash', async t => {
  const { directory, set, options, target, pool, attach } = await shared(t, {})
  const other = attach()
  await pool.close()
  t.throws(() => other.persistSync(0, 8), { code: 'ERR_CLOSED' })
  t.equal(new RecordFile(`${directory}/a.record`).read()?.closed, false)
  await other.close()
  const again = await Pool.open(set, options)
  t.ok(target.calls.some(call => call.startsWith('sums')))
  await again.close()
  t.equal(new RecordFile(`${directory}/a.record`).read()?.closed, true)
})
