import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type Clock, KiB, RpmemError, systemClock } from '../../core/index.js'
import { changesAfter, Pool, type PoolStatus, readSetStatus, StatusNote, statusPath } from '../../pool/index.js'
import { loadPoolSet } from '../../poolset/index.js'
import { scratch, writeSet } from './scratch.js'
import { connectorTo, ScriptedTarget } from './scripted-target.js'

const lost = () => new RpmemError('ERR_TARGET_LOST', 'the connection broke')
const clock: Clock = { nowMs: systemClock.nowMs, after: (ms, callback) => systemClock.after(ms, callback, 'holds') }

async function kept(t: Test) {
  const directory = scratch(t)
  const target = new ScriptedTarget('node1')
  const set = writeSet(directory, 'x.set', `4M ${directory}/a`, 'REPLICA node1 x')
  const resync = { backOff: { firstMs: 1, mostMs: 2 } }
  const options = { connectRemote: connectorTo(target), policy: { onReplicaLost: 'degrade' }, resync, clock } as const
  const pool = await Pool.create(set, options)
  t.teardown(() => pool.close())
  const status = async () => readSetStatus(await loadPoolSet(set), set)
  const note = new StatusNote(statusPath(`${directory}/a`))
  return { directory, target, set, options, pool, status, note }
}

function away(target: ScriptedTarget): void {
  target.refusing = lost()
  target.die(lost())
}

async function synced(pool: Pool): Promise<void> {
  while (pool.state === 'degraded') await once(pool, 'replica-state')
}

t.test('another process sees the state of each replica, its provider and why', async t => {
  const { pool, status } = await kept(t)
  const seen = await status()
  t.match(seen, { use: 'open', good: true, pool: { state: 'open', process: { pid: process.pid } } })
  t.strictSame(
    seen.replicas.map(({ name, inStep }) => [name, inStep]),
    [
      ['master', true],
      ['node1 x', true],
    ],
  )
  t.match(seen.replicas[1]?.report, { state: 'synced', transport: { provider: 'tcp', persistMethod: 'GPSPM' } })
  await pool.close()
  t.match(await status(), { use: 'closed', good: true, replicas: [{}, { report: { transport: { provider: 'tcp' } } }] })
})

t.test('a status never says synced while bytes are missing', async t => {
  const { pool, target, status, note } = await kept(t)
  away(target)
  pool.memsetPersistSync(100 * KiB, 1, 8)
  t.match(await status(), { good: false, replicas: [{}, { inStep: false, why: /^it is (lost|connecting)$/ }] })
  target.refusing = undefined
  await synced(pool)
  t.match(await status(), { good: true })
  // From now on the note cannot be replaced, and goes on saying that all is well.
  mkdirSync(`${note.path}.new`)
  away(target)
  pool.memsetPersistSync(100 * KiB, 2, 8)
  t.match(note.read()?.replicas[1], { state: 'synced' })
  t.match(await status(), { good: false, replicas: [{}, { inStep: false, why: /misses what was persisted/ }] })
  target.refusing = undefined
})

t.test('what a program that crashed has noted is not believed', async t => {
  const { status, note } = await kept(t)
  const written = note.read() as PoolStatus
  note.write({ ...written, process: { ...written.process, startTicks: 1 } })
  t.match(await status(), { use: 'gone', good: false, replicas: [{}, { why: /ended without closing/ }] })
  note.write({ ...written, process: { ...written.process, boot: 'another' } })
  t.match(await status(), { use: 'gone', good: false })
  note.write({ ...written, process: { ...written.process, pidNamespace: 'another' } })
  t.match(await status(), { use: 'unseen', good: false }, 'a process of another container')
})

t.test('damaged, foreign and endless notes count as none', async t => {
  const { status, note } = await kept(t)
  const { pool: written } = await status()
  const first = 'RPMEM STATUS 1\n'
  const odd = { ...written, replicas: [{ name: 3 }] }
  for (const text of [
    '',
    'RPMEM',
    'x'.repeat(2 ** 21),
    first,
    `${first}null`,
    `${first}[]`,
    first + JSON.stringify(odd),
  ]) {
    writeFileSync(note.path, text)
    t.equal((await status()).pool, undefined, text.slice(0, 40))
  }
  rmSync(note.path)
  t.equal((await status()).pool, undefined)
  t.match(await status(), { good: false, use: 'unknown' })
})

t.test('nobody knows of a local replica of which nothing is noted', async t => {
  const directory = scratch(t)
  const set = writeSet(directory, 'x.set', `4M ${directory}/a`, 'REPLICA', `4M ${directory}/b`)
  await (await Pool.create(set)).close()
  const seen = await readSetStatus(await loadPoolSet(set), set)
  t.match(seen, { good: false, replicas: [{ name: 'local replica 1', inStep: false, why: /^nothing is noted of it/ }] })
})

t.test('every change is numbered, also over the end of the program, and a reader notices what it missed', async t => {
  const { pool, target, set, options, note } = await kept(t)
  away(target)
  pool.memsetPersistSync(0, 1, 8)
  target.refusing = undefined
  await synced(pool)
  const { changes } = pool.status()
  t.strictSame(
    changes.map(({ sequence }) => sequence),
    changes.map((_, index) => index + 1),
  )
  t.match(changes[0], { state: 'open', replica: undefined })
  t.match(
    changes.find(({ state }) => state === 'lost'),
    { replica: 'node1 x', failure: /ERR_TARGET_LOST: the connection broke/ },
  )
  t.match(changes.at(-1), { replica: 'node1 x', state: 'synced' })
  await pool.close()
  const again = await Pool.open(set, options)
  t.teardown(() => again.close())
  const ofPool = note.read()?.changes.filter(({ replica }) => replica === undefined)
  const [closed, opened] = ofPool?.slice(-2) ?? []
  t.match([closed, opened], [{ state: 'closed' }, { state: 'open', sequence: (closed?.sequence ?? 0) + 1 }])
  const later = changesAfter({ ...again.status(), changes: changes.slice(3) }, 1)
  t.equal(later.lost, 2)
  t.equal(later.changes[0]?.sequence, 4)
})

t.test('retries, latencies and the time of the last verification are told', async t => {
  const { pool, target, set, options } = await kept(t)
  t.equal(pool.status().replicas[1]?.verifiedAt, undefined, 'new and never compared')
  for (let one = 0; one < 10; one++) pool.persistSync(one * 64, 64)
  await pool.persist(0, 64)
  const measured = pool.status().replicas[1]?.latency
  t.equal(
    measured?.counts.reduce((sum, count) => sum + count, 0),
    11,
  )
  t.ok((measured?.sumUs ?? 0) > 0)
  t.equal(pool.status().replicas[0]?.latency, undefined)
  away(target)
  await once(pool, 'replica-state')
  target.refusing = undefined
  await synced(pool)
  t.ok((pool.status().replicas[1]?.retries ?? 0) >= 1)
  await pool.verify()
  const { verifiedAt } = pool.status().replicas[1] ?? {}
  t.ok(verifiedAt)
  await pool.close()
  const again = await Pool.open(set, options)
  t.teardown(() => again.close())
  t.equal(again.status().replicas[1]?.verifiedAt, verifiedAt, 'the next program knows it from the note')
})

t.test('a note that cannot be written fails nothing', async t => {
  const { pool, target, note } = await kept(t)
  rmSync(note.path)
  mkdirSync(`${note.path}.new`)
  away(target)
  t.equal(pool.memsetPersistSync(0, 1, 8).replicas[1]?.level, 'none')
  target.refusing = undefined
  await synced(pool)
})

t.test('channels tell observers that have no pool', async t => {
  const heard: string[] = []
  const listen = (message: unknown, name: string | symbol) => {
    const { replica, state } = message as { replica?: string; state?: string }
    heard.push([name, replica, state].filter(word => word !== undefined).join(' '))
  }
  const names = ['rpmem:pool:opened', 'rpmem:replica:state', 'rpmem:replica:verified', 'rpmem:pool:closed']
  for (const name of names) subscribe(name, listen)
  t.teardown(() => {
    for (const name of names) unsubscribe(name, listen)
  })
  const { pool, target } = await kept(t)
  await pool.verify()
  target.die(lost())
  await once(pool, 'replica-state')
  await synced(pool)
  await pool.close()
  t.equal(heard[0], 'rpmem:pool:opened')
  t.ok(heard.includes('rpmem:replica:verified node1 x'))
  t.ok(heard.includes('rpmem:replica:state node1 x lost'))
  t.ok(heard.includes('rpmem:replica:state node1 x synced'))
  t.match(heard.at(-1), /rpmem:pool:closed/)
})
