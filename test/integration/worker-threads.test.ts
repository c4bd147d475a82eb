import { on, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { attributesEqual, KiB, MiB, pageSize, zeroAttributes } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { Pool, RemotePool } from '../../initiator/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { Load } from './load.js'
import { mirroredPool } from './mirrored-pool.js'
import type { Errand } from './share-worker.js'
import { localSet, TargetHost } from './target-host.js'

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

const share = 64 * KiB

/** A thread that has attached to the pool, with everything it says. */
function attachInWorker(
  t: Test,
  pool: Pool,
  how: string,
  index: number,
): { worker: Worker; said: AsyncIterator<unknown> } {
  const workerData: Errand = { how, token: pool.share(), offset: index * share, length: share }
  const worker = new Worker(new URL('share-worker.js', import.meta.url), { workerData, execArgv: [] })
  t.teardown(() => worker.terminate())
  const said = on(worker, 'message', { signal: AbortSignal.timeout(60_000) })
  return { worker, said: said[Symbol.asyncIterator]() }
}

const next = async (said: AsyncIterator<unknown>): Promise<unknown> => {
  const { value } = await said.next()
  return Array.isArray(value) ? value[0] : value
}

for (const lanes of [2, 8]) {
  t.test(`four threads write into one mirrored pool over ${lanes} lanes, and its replicas are alike`, async t => {
    const { host, pool, master, replica } = await mirroredPool(t, ['a', 'b'], { lanes })
    const threads = [0, 1, 2, 3].map(index => attachInWorker(t, pool, 'write', index))
    const exits = threads.map(({ worker }) => once(worker, 'exit'))
    // The thread that opened the pool works along.
    const own = 4 * share
    for (let round = 0; round < 100; round++) {
      pool.memsetPersistSync(own, round, 64)
      await pool.memsetPersist(own + 64, round, 64)
    }
    const replicas = [
      ['master', 'local', undefined],
      [`${host.address} a/x.set`, 'remote', 'tcp'],
      [`${host.address} b/x.set`, 'remote', 'tcp'],
    ]
    for (const { said } of threads) t.strictSame(await next(said), { state: 'open', replicas })
    for (const exit of exits) t.strictSame(await exit, [0])
    t.equal(pool.state, 'open')
    await pool.close()
    await host.allEnd()
    const expected = new Uint8Array(readFileSync(master)).subarray(pageSize)
    const written = expected.subarray(0, own).every((byte, at) => {
      const piece = at - (at % 256)
      return byte === ((13 * at + (piece >>> 8) + 4) & 0xff)
    })
    t.ok(written, 'the last round of every thread')
    for (const target of ['a', 'b']) sameBytes(t, replica(target), expected, `the replica of ${target}`)
  })
}

t.test('when a target is killed, every thread that shares the pool learns which replica is lost', async t => {
  const { host, pool } = await mirroredPool(
    t,
    ['a', 'b'],
    {},
    { resync: { backOff: { firstMs: 60_000, mostMs: 60_000 } } },
  )
  const lost = once(pool, 'replica-lost', { signal: AbortSignal.timeout(20_000) })
  const threads = ['untilFailure', 'untilFailure', 'blocked'].map((how, index) => attachInWorker(t, pool, how, index))
  for (const { said } of threads) t.equal(await next(said), 'at work')
  process.kill(host.daemonOf('b'), 'SIGKILL')
  const [first, second, blocked] = await Promise.all(threads.map(({ said }) => next(said)))
  const failures = [undefined, undefined, 'ERR_TARGET_LOST']
  const expected = { ends: Array(8).fill('ERR_PERSIST'), sync: 'ERR_PERSIST', state: 'degraded', failures }
  t.strictSame(first, expected)
  t.strictSame(second, expected)
  t.strictSame(blocked, { ends: ['ERR_PERSIST'] })
  const holding = setTimeout(() => {}, 20_000)
  t.match(await lost, [{ replica: `${host.address} b/x.set`, kind: 'remote' }])
  clearTimeout(holding)
  await pool.close()
})

t.test('a target that stops is found out by the thread that opened the pool, for all', async t => {
  // Longer than the watchdog waits, so that no call finds out by itself.
  const { host, pool } = await mirroredPool(
    t,
    ['a'],
    { deadlineMs: 60_000 },
    { resync: { backOff: { firstMs: 60_000, mostMs: 60_000 } } },
  )
  const threads = [0, 1].map(index => attachInWorker(t, pool, 'untilFailure', index))
  for (const { said } of threads) t.equal(await next(said), 'at work')
  process.kill(host.daemonOf('a'), 'SIGSTOP')
  for (const { said } of threads) t.match(await next(said), { sync: 'ERR_PERSIST', state: 'degraded' })
  await pool.close()
})

t.test('close of the pool ends it for the threads that share it, in the midst of their work', async t => {
  const { host, pool, reopen } = await mirroredPool(t, ['a', 'b'])
  const threads = ['untilFailure', 'blocked', 'blocked'].map((how, index) => attachInWorker(t, pool, how, index))
  const exits = threads.map(({ worker }) => once(worker, 'exit'))
  for (const { said } of threads) t.equal(await next(said), 'at work')
  const token = pool.share()
  await pool.close()
  for (const { said } of threads) {
    const { ends } = (await next(said)) as { ends: string[] }
    t.ok(
      ends.every(end => end === 'ERR_CLOSED'),
      `${ends}`,
    )
  }
  t.throws(() => Pool.attach(token), { code: 'ERR_CLOSED' })
  // Until then they have the memory mapped.
  await Promise.all(exits)
  t.not(await host.allEnd(), undefined, 'no daemon stays')
  await (await reopen()).close()
})

t.test('a thread that is terminated in the midst of a shared pool takes nothing with it', async t => {
  const { host, pool } = await mirroredPool(t, ['a', 'b'])
  for (const how of ['untilFailure', 'blocked', 'untilFailure', 'blocked']) {
    const { worker, said } = attachInWorker(t, pool, how, 0)
    t.equal(await next(said), 'at work')
    await worker.terminate()
    pool.memsetPersistSync(0, 1, 64)
    await pool.memsetPersist(64, 2, 64)
  }
  t.equal(pool.state, 'open')
  await pool.close()
  t.not(await host.allEnd(), undefined, 'no daemon stays')
})

t.test('only the thread that opened a remote pool changes its attributes or removes it', async t => {
  const host = await TargetHost.start(t)
  host.replica('a', [['8M', 'part']])
  const memory = NativeMemory.anonymous(8 * MiB)
  const attributes = { ...zeroAttributes(), signature: Buffer.from('THREADS\0') }
  const remote = await RemotePool.create(host.address, 'a/x.set', memory, { ...host.options, lanes: 2, attributes })
  const attached = RemotePool.attach(structuredClone(remote.share()))
  t.strictSame([remote.defaultLane, attached.defaultLane, attached.laneCount], [0, 1, 2])
  t.strictSame([attached.name, attached.transport], [remote.name, remote.transport])
  t.ok(attributesEqual(attached.attributes ?? zeroAttributes(), remote.attributes ?? attributes))
  attached.persistSync(pageSize, 64)
  await t.rejects(attached.setAttributes(attributes), { code: 'ERR_THREAD' })
  await t.rejects(attached.close({ remove: true }), { code: 'ERR_THREAD' })
  attached.persistSync(pageSize, 64)
  await attached.close()
  t.throws(() => attached.share(), { code: 'ERR_CLOSED' })
  await remote.setAttributes({ ...attributes, major: 2 })
  t.equal(RemotePool.attach(remote.share()).attributes?.major, 2)
  await remote.close({ remove: true })
  t.strictSame(host.parts('a'), [])
  memory.close()
})
