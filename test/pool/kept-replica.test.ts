import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type Clock, descend, KiB, pageSize, RpmemError, systemClock } from '../../core/index.js'
import { type Policy, Pool, type ReplicaChange } from '../../pool/index.js'
import { RecordFile } from '../../pool/record-file.js'
import { scratch, writeSet } from './scratch.js'
import { connectorTo, ScriptedTarget } from './scripted-target.js'

const lost = () => new RpmemError('ERR_TARGET_LOST', 'the connection broke')
const resync = { backOff: { firstMs: 1, mostMs: 2 } }
/** Nothing but the pool is under way in these tests: its timers have to hold the process. */
const clock: Clock = { nowMs: systemClock.nowMs, after: (ms, callback) => systemClock.after(ms, callback, 'holds') }

/** A pool of a master and two targets, all of them kept. */
async function kept(t: Test, policy: Policy = { onReplicaLost: 'degrade' }) {
  const directory = scratch(t)
  const [one, two] = [new ScriptedTarget('node1'), new ScriptedTarget('node2')]
  const set = writeSet(directory, 'x.set', `4M ${directory}/a`, 'REPLICA node1 one.set', 'REPLICA node2 two.set')
  const options = { connectRemote: connectorTo(one, two), policy, resync, clock }
  const pool = await Pool.create(set, options)
  t.teardown(() => pool.close())
  return { directory, one, two, set, pool, options, log: logOf(pool) }
}

function logOf(pool: Pool): string[] {
  const log: string[] = []
  pool.on('replica-state', ({ replica, state }) => log.push(`${replica} ${state}`))
  return log
}

/** Resolves when every kept replica of the pool is in step. */
async function synced(pool: Pool): Promise<void> {
  while (pool.state === 'degraded') await once(pool, 'replica-state')
}

async function reaches(pool: Pool, replica: string, state: ReplicaChange['state']): Promise<ReplicaChange> {
  for (;;) {
    const [change] = (await once(pool, 'replica-state')) as [ReplicaChange]
    if (change.replica === replica && change.state === state) return change
  }
}

const away = (target: ScriptedTarget) => {
  target.refusing = lost()
  target.die(lost())
}
const back = (target: ScriptedTarget) => {
  target.refusing = undefined
}
const levels = ({ replicas }: { readonly replicas: readonly { readonly level: string }[] }) =>
  replicas.map(({ level }) => level)
const same = (t: Test, pool: Pool, target: ScriptedTarget, message: string) => {
  const from = target.bytes.length - pool.size
  t.ok(Buffer.from(pool.view(0, pool.size)).equals(target.bytes.subarray(from)), message)
}

t.test('a new pool is in step everywhere, and every copy has the same record', async t => {
  const { pool, one, two, directory } = await kept(t)
  t.equal(pool.state, 'open')
  t.strictSame(
    pool.replicas.map(({ state, missingBytes }) => [state, missingBytes]),
    [
      ['open', 0],
      ['synced', 0],
      ['synced', 0],
    ],
  )
  t.strictSame(one.record, two.record)
  t.equal(one.record?.lineage.current.why, 'created')
  const files = readdirSync(directory).map(name => name.replace(/-[0-9a-f]{8}$/, '-…'))
  t.strictSame(files.sort(), ['a', 'a.missing-…', 'a.missing-…', 'a.record', 'a.status', 'x.set'])
  t.strictSame(levels(await pool.memsetPersist(0, 1, 8)).slice(1), ['received', 'received'])
})

t.test('a pool that may degrade goes on without a target, and the target comes back by itself', async t => {
  const { pool, one, two, log } = await kept(t)
  pool.memsetPersistSync(0, 1, 64 * KiB)
  away(one)
  t.equal(pool.state, 'degraded')
  t.strictSame(levels(pool.memsetPersistSync(100 * KiB, 2, 10)).slice(1), ['none', 'received'])
  t.strictSame(levels(await pool.memsetPersist(200 * KiB, 3, 5 * KiB)).slice(1), ['none', 'received'])
  t.equal(pool.replicas[1]?.missingBytes, 4 * pageSize - pageSize, 'three pages')
  t.equal(two.record?.lineage.current.number, 2, 'who is in step goes on in the new generation')
  t.equal(one.record?.lineage.current.number, 1)
  one.calls.length = 0
  back(one)
  await synced(pool)
  same(t, pool, one, 'nothing is missing')
  t.equal(one.record?.lineage.current.number, 2)
  t.equal(one.record?.syncing, false)
  t.match(
    one.calls,
    ['adopt 1 syncing', /persist/, /persist/, /sums/, /sums/, 'adopt 2'],
    'only what was missing travelled',
  )
  t.ok(log.includes('node1 one.set lost') && log.includes('node1 one.set syncing') && log.at(-1)?.endsWith('synced'))
  t.strictSame(levels(pool.persistSync(0, 8)).slice(1), ['received', 'received'])
})

t.test('a pool that needs every replica rejects while one is away, and succeeds when it is back', async t => {
  const { pool, one } = await kept(t, {})
  away(one)
  await t.rejects(pool.memsetPersist(4 * KiB, 7, 8), {
    code: 'ERR_PERSIST',
    durability: 'local',
    causes: [{ replica: 'node1 one.set' }],
  })
  t.throws(() => pool.persistSync(0, 8), { code: 'ERR_PERSIST' })
  back(one)
  await synced(pool)
  pool.persistSync(0, 8)
  same(t, pool, one, 'what was rejected arrived as well')
})

t.test('a quorum is enough where it was asked for, and can be asked for call by call', async t => {
  const { pool, one, two } = await kept(t, { minDurable: 2 })
  away(one)
  t.strictSame(levels(pool.persistSync(0, 8)).slice(1), ['none', 'received'])
  t.throws(() => pool.persistSync(0, 8, { policy: { minDurable: 3 } }), { code: 'ERR_PERSIST' })
  away(two)
  await t.rejects(pool.persist(0, 8), { code: 'ERR_PERSIST', facts: { replicas: ['node1 one.set', 'node2 two.set'] } })
  t.strictSame(levels(await pool.persist(0, 8, { policy: { minDurable: 1 } })).slice(1), ['none', 'none'])
  t.throws(() => pool.persistSync(0, 8, { policy: { minDurable: 4 } }), { code: 'ERR_ARGUMENT' })
})

t.test('a pool that suspends waits for the replica, and gives up in the end', async t => {
  const { pool, one } = await kept(t, { onReplicaLost: 'suspend' })
  away(one)
  await t.rejects(pool.persist(0, 8, { policy: { onReplicaLost: 'suspend', suspendMs: 5 } }), { code: 'ERR_PERSIST' })
  const waiting = pool.memsetPersist(8 * KiB, 5, 8)
  t.throws(() => pool.persistSync(0, 8), { code: 'ERR_PERSIST' }, 'a blocked thread could never see it come back')
  back(one)
  t.strictSame(levels(await waiting).slice(1), ['received', 'received'])
  same(t, pool, one, 'it is there')
})

t.test('what was flushed and not drained when the target was lost is sent again', async t => {
  const { pool, one } = await kept(t)
  pool.view(0, 100).fill(9)
  pool.flush(0, 100)
  one.bytes.fill(0, pageSize, pageSize + 100)
  away(one)
  await pool.drain()
  t.equal(pool.replicas[1]?.missingBytes, pageSize)
  back(one)
  await synced(pool)
  same(t, pool, one, 'the flushed range')
})

t.test('a target that is lost while it is brought up to date keeps what it still misses', async t => {
  const { pool, one } = await kept(t)
  away(one)
  pool.memsetPersistSync(0, 1, 3 * 1024 * KiB)
  let breaks = 2
  one.onKeeping = async call => {
    if (call.startsWith('sums') && breaks-- > 0) one.die(lost())
  }
  back(one)
  await synced(pool)
  t.ok(breaks < 0)
  same(t, pool, one, 'in the end all is there')
})

t.test('a page that changes while it is verified is sent again', async t => {
  const { pool, one } = await kept(t)
  away(one)
  pool.memsetPersistSync(0, 1, 64 * KiB)
  let changes = 3
  one.onKeeping = async call => {
    if (call.startsWith('sums') && changes-- > 0) pool.view(5 * KiB, 1).fill(changes)
  }
  back(one)
  await synced(pool)
  t.ok(changes < 0)
  same(t, pool, one, 'the last change too')
})

t.test('what is persisted while a target is brought up to date is there when it is in step', async t => {
  const { pool, one } = await kept(t)
  away(one)
  pool.memsetPersistSync(0, 1, 1024 * KiB)
  let writes = 20
  one.onKeeping = async () => {
    if (writes-- > 0) t.equal(levels(pool.memsetPersistSync(writes * 30 * KiB, 100 + writes, 9 * KiB))[1], 'none')
  }
  back(one)
  await synced(pool)
  same(t, pool, one, 'all of it')
})

t.test('after a clean end only what was missing travels; after a crash everything is compared', async t => {
  const { pool, one, two, set, options, directory } = await kept(t)
  pool.memsetPersistSync(0, 1, 256 * KiB)
  away(one)
  pool.memsetPersistSync(0, 2, 8)
  await pool.close()
  back(one)
  one.calls.length = 0
  const again = await Pool.open(set, options)
  await synced(again)
  same(t, again, one, 'the page that was missing')
  t.equal(one.calls.filter(call => call.startsWith('persist')).length, 1)
  const whole = `sums ${pageSize} ${4 * 1024 * KiB - pageSize}`
  t.notOk(one.calls.includes(whole), 'nothing was compared that was known')
  await again.close()
  const store = new RecordFile(`${directory}/a.record`)
  const record = store.read()
  if (!record) throw new Error('the pool has a record')
  store.write({ ...record, closed: false })
  two.bytes.fill(7, 100 * KiB, 101 * KiB)
  const third = await Pool.open(set, options)
  await synced(third)
  t.ok(one.calls.includes(whole) && two.calls.includes(whole), 'after a crash')
  same(t, third, two, 'a byte that the crash left behind')
  await third.close()
})

t.test('a copy that was written to behind our back is compared as a whole', async t => {
  const { pool, one, set, options } = await kept(t)
  pool.memsetPersistSync(0, 1, 256 * KiB)
  await pool.close()
  if (one.record) one.record = { ...one.record, touched: true }
  one.bytes.fill(7, 100 * KiB, 101 * KiB)
  const again = await Pool.open(set, options)
  await synced(again)
  same(t, again, one, 'the damage is mended')
  await again.close()
})

t.test('a copy that has gone on without us, or is another pool, is never overwritten', async t => {
  const { pool, one, set, options } = await kept(t)
  pool.memsetPersistSync(0, 1, 8)
  await pool.close()
  const { record } = one
  if (!record) throw new Error('the target has a record')
  const promoted = {
    id: 'ab'.repeat(16),
    since: '2026-01-01T00:00:00.000Z',
    writer: 'node1 7',
    why: 'promoted' as const,
  }
  one.record = { ...record, lineage: descend(record.lineage, promoted) }
  const before = one.bytes.slice()
  const again = await Pool.open(set, options)
  t.match(again.replicas[1], {
    state: 'refused',
    failure: { code: 'ERR_REPLICA_AHEAD', facts: { generation: 2, writer: 'node1 7', why: 'promoted' } },
  })
  again.memsetPersistSync(0, 2, 8)
  await reaches(again, 'node1 one.set', 'refused')
  t.match(again.replicas[1], { failure: { code: 'ERR_REPLICA_DIVERGED' } }, 'by now both have gone on')
  one.record = { ...record, lineage: { ...record.lineage, pool: 'cd'.repeat(16) } }
  const change = await reaches(again, 'node1 one.set', 'refused')
  t.match(change.error, { code: 'ERR_REPLICA_STRANGER' })
  t.ok(Buffer.from(one.bytes).equals(before), 'not a byte was written')
  await again.close()
  await t.rejects(Pool.open(set, { ...options, policy: {} }), { code: 'ERR_REPLICA_STRANGER' }, 'all are needed')
})

t.test('nothing is acknowledged that cannot be recorded', async t => {
  const { pool, one, directory } = await kept(t)
  away(one)
  const record = readFileSync(`${directory}/a.record`)
  mkdirSync(`${directory}/a.record.new`)
  t.throws(() => pool.persistSync(0, 8), { code: 'ERR_PERSIST' }, 'no generation could be begun')
  rmSync(`${directory}/a.record.new`, { recursive: true })
  t.ok(readFileSync(`${directory}/a.record`).equals(record))
  pool.persistSync(0, 8)
  t.notOk(readFileSync(`${directory}/a.record`).equals(record))
})

t.test('an opening that waits for a comparison can be given up', async t => {
  const { pool, one, set, options } = await kept(t)
  await pool.close()
  if (one.record) one.record = { ...one.record, touched: true }
  const giveUp = new AbortController()
  one.onKeeping = () => {
    giveUp.abort()
    // A connection that is closed fails what is under way on it.
    return new Promise((_, reject) => setImmediate(() => reject(lost())))
  }
  await t.rejects(Pool.open(set, { ...options, policy: {}, signal: giveUp.signal }), { code: 'ERR_ABORTED' })
  one.onKeeping = async () => {}
  const again = await Pool.open(set, { ...options, policy: {} })
  t.equal(again.state, 'open', 'nothing was left behind')
  await again.close()
})
