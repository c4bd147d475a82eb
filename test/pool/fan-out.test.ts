import { once } from 'node:events'
import { existsSync, readFileSync, truncateSync } from 'node:fs'
import t, { type Test } from 'tap'
import { MiB, pageSize, RpmemError } from '../../core/index.js'
import { Pool, type ReplicaLoss } from '../../pool/index.js'
import { mapAs, scratch, writeSet } from './scratch.js'
import { connectorTo, ScriptedTarget } from './scripted-target.js'

const methods = ['volatile', 'msync', 'dax'] as const
const text = (value: string) => new Uint8Array(Buffer.from(value))
const lost = () => new RpmemError('ERR_TARGET_LOST', 'the connection broke')

const resync = { backOff: { firstMs: 1, mostMs: 2 } }

/** The next news of a replica, while a timer holds the process: the pool itself never does. */
async function changed(pool: Pool): Promise<void> {
  const holding = setTimeout(() => {}, 10_000)
  await once(pool, 'replica-state')
  clearTimeout(holding)
}

/** A pool of a master, a local replica and two targets. */
async function mirrored(t: Test) {
  const directory = scratch(t)
  const one = new ScriptedTarget('node1')
  const two = new ScriptedTarget('user@node2:22')
  const set = writeSet(
    directory,
    'x.set',
    `4M ${directory}/a`,
    'REPLICA node1 one.set',
    'REPLICA',
    `3M ${directory}/b`,
    'REPLICA user@node2:22 two.set',
  )
  const connectRemote = connectorTo(one, two)
  const pool = await Pool.create(set, { connectRemote, resync })
  const losses: ReplicaLoss[] = []
  pool.on('replica-lost', loss => losses.push(loss))
  t.teardown(() => pool.close())
  return { directory, set, one, two, pool, connectRemote, losses }
}

t.test('targets get the pool size, their attributes and a place in the ring', async t => {
  const { one, two, pool, set, connectRemote } = await mirrored(t)
  t.strictSame(one.calls, [`create one.set ${3 * MiB}`, 'adopt 1'], 'the smallest local replica gives the size')
  t.strictSame(
    pool.replicas.map(({ name, kind }) => `${kind} ${name}`),
    ['local master', 'remote node1 one.set', 'local local replica 2', 'remote user@node2:22 two.set'],
  )
  t.strictSame(
    pool.replicas.map(({ transport }) => transport?.provider),
    [undefined, 'tcp', undefined, 'tcp'],
    'how each is reached',
  )
  const master = pool.attributes
  t.strictSame(one.attributes?.poolsetUuid, master?.poolsetUuid)
  t.strictSame(one.attributes?.prevUuid, master?.uuid)
  t.strictSame(master?.nextUuid, one.attributes?.uuid)
  t.strictSame(two.attributes?.nextUuid, master?.uuid)
  t.strictSame(master?.prevUuid, two.attributes?.uuid)
  await pool.close()
  t.equal(one.calls.at(-1), 'close')
  const again = await Pool.open(set, { connectRemote })
  await again.close()
  const swapped = two.attributes
  two.attributes = one.attributes
  await t.rejects(Pool.open(set, { connectRemote }), { code: 'ERR_HEADER_INVALID' }, 'another replica on the target')
  two.attributes = swapped && { ...swapped, major: 99 }
  await t.rejects(Pool.open(set, { connectRemote }), {
    code: 'ERR_HEADER_INVALID',
    facts: { part: 'user@node2:22 two.set', field: 'major' },
  })
  two.attributes = undefined
  await t.rejects(Pool.open(set, { connectRemote }), { code: 'ERR_HEADER_INVALID' }, 'no headers at all')
  two.attributes = swapped
  await (await Pool.open(set, { connectRemote })).close()
})

for (const method of methods) {
  t.test(`every replica gets what was persisted, at pool offsets: ${method}`, async t => {
    mapAs(t, method)
    const { directory, one, two, pool } = await mirrored(t)
    pool.view(0, 100).set(text('hello'), 10)
    t.equal(pool.persistSync(10, 5).replicas.length, 4)
    t.equal(one.calls.at(-1), `persist ${pageSize + 10} 5`)
    await pool.memcpyPersist(50, text('world'), { lane: 3 })
    t.equal(two.calls.at(-1), `persist ${pageSize + 50} 5 lane 3`)
    await pool.deepPersist(10, 5)
    t.equal(two.calls.at(-1), `deep persist ${pageSize + 10} 5`)
    pool.memcpyPersistSync(60, text('kept back'), { noFlush: true })
    t.equal(two.calls.at(-1), `deep persist ${pageSize + 10} 5`, 'nothing is sent before the flush')
    pool.flush(60, 9)
    pool.drainSync()
    await pool.memcpyPersist(70, text('queued'), { noDrain: true })
    await pool.drain()
    t.strictSame(one.calls.slice(-4), [`flush ${pageSize + 60} 9`, 'drain', `flush ${pageSize + 70} 6`, 'drain'])
    const expected = new Uint8Array(pool.size)
    pool.read(0, expected)
    t.ok(Buffer.from(one.bytes).subarray(pageSize).equals(expected))
    t.ok(Buffer.from(two.bytes).subarray(pageSize).equals(expected))
    t.ok(readFileSync(`${directory}/b`).subarray(pageSize).equals(expected))
    t.ok(
      one.bytes.subarray(0, pageSize).every(byte => byte === 0),
      'the header page is never sent',
    )
    t.equal(pool.replicas[0]?.method, method)
  })
}

t.test('all targets have their work before any is awaited', async t => {
  const { one, two, pool } = await mirrored(t)
  one.hold()
  two.hold()
  const persisting = pool.persist(0, 8)
  t.equal(one.calls.at(-1), `persist ${pageSize} 8`)
  t.equal(two.calls.at(-1), `persist ${pageSize} 8`)
  two.release()
  one.release()
  await persisting
})

t.test('a target that fails is named and not asked again before it has come back', async t => {
  const { one, two, pool, losses } = await mirrored(t)
  two.failing = lost()
  t.throws(() => pool.persistSync(0, 8), {
    code: 'ERR_PERSIST',
    durability: 'local',
    causes: [{ replica: 'user@node2:22 two.set', error: { code: 'ERR_TARGET_LOST' } }],
    cause: { code: 'ERR_TARGET_LOST' },
  })
  t.equal(pool.state, 'degraded')
  two.refusing = lost()
  const before = two.calls.length
  await t.rejects(pool.persist(0, 8), { code: 'ERR_PERSIST', durability: 'local' })
  pool.flush(0, 8)
  t.throws(
    () => pool.drainSync(),
    { code: 'ERR_PERSIST' },
    'whether enough replicas have it is the question of the drain',
  )
  await t.rejects(pool.drain(), { code: 'ERR_PERSIST' })
  t.strictSame(two.calls.slice(before), [], 'it got nothing more')
  t.equal(one.calls.at(-1), 'drain', 'the others did')
  t.match(losses, [{ replica: 'user@node2:22 two.set', kind: 'remote', error: { code: 'ERR_TARGET_LOST' } }])
  t.equal(losses.length, 1)
  t.match(pool.replicas[3]?.failure, { code: 'ERR_TARGET_LOST' })
  t.equal(pool.replicas[1]?.failure, undefined)
  pool.memsetPersistSync(0, 1, 8, { policy: { minDurable: 3 } })
  two.refusing = undefined
  while (pool.state === 'degraded') await changed(pool)
  pool.persistSync(0, 8)
  t.equal(two.bytes[pageSize], 1, 'it has what it missed')
})

t.test('all causes are told, in the order of the pool set, and no rejection is left unhandled', async t => {
  const { one, two, pool } = await mirrored(t)
  one.hold()
  two.hold()
  const persisting = pool.persist(0, 8)
  one.failing = lost()
  two.failing = new RpmemError('ERR_DEADLINE', 'no answer')
  two.release()
  one.release()
  await t.rejects(persisting, {
    code: 'ERR_PERSIST',
    causes: [
      { replica: 'node1 one.set', error: { code: 'ERR_TARGET_LOST' } },
      { replica: 'user@node2:22 two.set', error: { code: 'ERR_DEADLINE' } },
    ],
  })
})

t.test('a target that dies by itself is reported once, and the next persist fails', async t => {
  const { one, pool, losses } = await mirrored(t)
  one.refusing = lost()
  const reported = new Promise(resolve => pool.once('replica-lost', resolve))
  one.die(lost())
  await reported
  t.equal(pool.state, 'degraded')
  await t.rejects(pool.persist(0, 8), { code: 'ERR_PERSIST' })
  t.equal(losses.length, 1)
})

t.test('a mistake of the caller is no failure of the replica', async t => {
  const { one, pool, losses } = await mirrored(t)
  one.failing = new RpmemError('ERR_LANE_RANGE', 'there are 4 lanes')
  t.throws(() => pool.persistSync(0, 8, { lane: 9 }), { code: 'ERR_LANE_RANGE' })
  one.failing = undefined
  pool.persistSync(0, 8)
  t.equal(pool.state, 'open')
  t.equal(losses.length, 0)
})

t.test('the caller can stop waiting, and close still waits for the answer', async t => {
  const { one, pool } = await mirrored(t)
  one.hold()
  const abort = new AbortController()
  const persisting = pool.persist(0, 8, { signal: abort.signal })
  abort.abort(new Error('enough'))
  await t.rejects(persisting, { code: 'ERR_ABORTED', cause: { message: 'enough' } })
  const closing = pool.close()
  t.equal(pool.state, 'closing')
  t.not(one.calls.at(-1), 'close')
  one.release()
  await closing
  t.equal(one.calls.at(-1), 'close')
  await t.rejects(pool.persist(0, 8, { signal: AbortSignal.abort() }), { code: 'ERR_CLOSED' })
})

t.test('a persist under way settles when the pool is closed', async t => {
  const { one, pool } = await mirrored(t)
  one.hold()
  let closed = false
  const persisting = pool.persist(0, 8)
  const closing = pool.close().then(() => (closed = true))
  t.throws(() => pool.persistSync(0, 8), { code: 'ERR_CLOSED' })
  t.notOk(closed)
  one.release()
  t.equal((await persisting).replicas.length, 4)
  await closing
  t.equal(pool.state, 'closed')
})

t.test('if one target refuses, nothing of the pool is left anywhere', async t => {
  const directory = scratch(t)
  const good = new ScriptedTarget('good')
  const bad = new ScriptedTarget('bad')
  bad.refusing = new RpmemError('ERR_HOST_KEY_UNKNOWN', 'never seen')
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA good x', 'REPLICA bad x')
  const connectRemote = connectorTo(good, bad)
  await t.rejects(Pool.create(set, { connectRemote }), { code: 'ERR_HOST_KEY_UNKNOWN' })
  t.equal(good.calls.at(-1), 'close and remove')
  t.notOk(existsSync(`${directory}/a`))
  bad.refusing = undefined
  await (await Pool.create(set, { connectRemote })).close()
  bad.refusing = new RpmemError('ERR_SSH_REFUSED', 'closed')
  await t.rejects(Pool.open(set, { connectRemote }), { code: 'ERR_SSH_REFUSED' })
  t.equal(good.calls.at(-1), 'close', 'an opened replica is only closed')
  t.ok(existsSync(`${directory}/a`))
})

for (const method of methods) {
  t.test(`a master that lost pages spoils no other replica: ${method}`, async t => {
    mapAs(t, method)
    const { directory, one, two, pool, losses } = await mirrored(t)
    pool.memsetPersistSync(MiB, 7, 3 * pageSize)
    const calls = one.calls.length
    truncateSync(`${directory}/a`, pageSize)
    pool.view(MiB + 8, 8).fill(1)
    const refused = { code: 'ERR_PERSIST', durability: 'none', causes: [{ replica: 'master' }] }
    t.throws(() => pool.persistSync(MiB, 3 * pageSize), refused)
    await t.rejects(pool.persist(MiB, 3 * pageSize), refused)
    await t.rejects(pool.memcpyPersist(MiB, text('more')), refused)
    t.throws(() => pool.memmovePersistSync(MiB, 0, 8), refused)
    t.throws(() => pool.memsetPersistSync(MiB, 0, 8), refused)
    t.throws(() => pool.flush(MiB, 8), { code: 'ERR_PERSIST', causes: [{ replica: 'master' }] })
    t.equal(one.calls.length, calls, 'the targets were not asked')
    const whole = Buffer.alloc(3 * pageSize, 7)
    t.ok(whole.equals(two.bytes.subarray(MiB + pageSize, MiB + 4 * pageSize)))
    await pool.close()
    t.ok(whole.equals(readFileSync(`${directory}/b`).subarray(MiB + pageSize, MiB + 4 * pageSize)))
    t.strictSame(
      losses.map(({ replica }) => replica),
      ['master'],
    )
  })
}
