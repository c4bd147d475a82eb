import { join } from 'node:path'
import t, { type Test } from 'tap'
import { hasCode, MiB, type PoolAttributes, pageSize, zeroAttributes } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { Pool, RemotePool } from '../../initiator/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { localSet, TargetHost } from './target-host.js'

const size = 8 * MiB
const attributes: PoolAttributes = { ...zeroAttributes(), signature: Buffer.from('WRONGUSE') }

async function openPool(t: Test): Promise<{ pool: Pool; host: TargetHost; set: string }> {
  const host = await TargetHost.start(t)
  const set = localSet(host.folder, `8M ${join(host.folder, 'master')}`, host.replica('a', [['8M', 'part']]))
  return { pool: await Pool.create(set, { remote: host.options }), host, set }
}

async function openRemote(t: Test): Promise<{ pool: RemotePool; memory: NativeMemory; host: TargetHost }> {
  const host = await TargetHost.start(t)
  host.replica('a', [['8M', 'part']])
  const memory = NativeMemory.anonymous(size)
  const pool = await RemotePool.create(host.address, 'a/x.set', memory, { ...host.options, lanes: 3, attributes })
  return { pool, memory, host }
}

const outside = (whole: number): (readonly [offset: number, length: number])[] => [
  [whole, 1],
  [whole - 1, 2],
  [0, whole + 1],
  [-1, 1],
  [0, -1],
  [0.5, 1],
  [Number.NaN, 1],
  [0, Number.POSITIVE_INFINITY],
  [2 ** 53, 1],
]

t.test('offsets and lengths outside a pool are ERR_RANGE, and the targets are not bothered', async t => {
  const { pool, host } = await openPool(t)
  for (const [offset, length] of outside(pool.size)) {
    const name = `${offset}, ${length}`
    const wrong = { code: 'ERR_RANGE', facts: { offset, length, size: pool.size } }
    t.throws(() => pool.persistSync(offset, length), wrong, name)
    await t.rejects(pool.persist(offset, length), wrong, name)
    t.throws(() => pool.flush(offset, length), wrong, name)
    t.throws(() => pool.memsetPersistSync(offset, 1, length), wrong, name)
    t.throws(() => pool.view(offset, length), wrong, name)
  }
  t.equal(pool.state, 'open', 'a mistake of the caller costs no replica')
  pool.persistSync(0, 64)
  await pool.close()
  t.match(host.log(), /pool closed: 1 messages/)
})

t.test('the layer of rpmem_persist(3) guards its range, its header and its lanes', async t => {
  const { pool, memory, host } = await openRemote(t)
  for (const [offset, length] of outside(size)) {
    const wrong = { code: 'ERR_RANGE', facts: { offset, length, size } }
    t.throws(() => pool.persistSync(offset, length), wrong, `${offset}, ${length}`)
    await t.rejects(pool.persist(offset, length), wrong, `${offset}, ${length}`)
  }
  for (const [offset, length] of [
    [0, 64],
    [pageSize - 1, 1],
    [pageSize - 8, 16],
    [0, size],
  ] as const) {
    const wrong = { code: 'ERR_HEADER_PROTECTED', facts: { offset, length } }
    t.throws(() => pool.persistSync(offset, length), wrong)
    await t.rejects(pool.persist(offset, length), wrong)
    t.throws(() => pool.flush(offset, length), wrong)
    await t.rejects(pool.deepPersist(offset, length), wrong)
  }
  for (const wrong of [{ signature: Buffer.from('SHORT') }, { major: -1 }, { uuid: new Uint8Array(15) }]) {
    const [field] = Object.keys(wrong)
    await t.rejects(pool.setAttributes({ ...attributes, ...wrong }), {
      code: 'ERR_ARGUMENT',
      facts: { argument: `attributes.${field}` },
    })
  }
  for (const lane of [3, -1, 0.5, Number.NaN, 2 ** 32]) {
    const wrong = { code: 'ERR_LANE_RANGE', facts: { lane, laneCount: 3 } }
    t.throws(() => pool.persistSync(pageSize, 8, { lane }), wrong)
    await t.rejects(pool.persist(pageSize, 8, { lane }), wrong)
    t.throws(() => pool.drainSync({ lane }), wrong)
    await t.rejects(pool.drain({ lane }), wrong)
    await t.rejects(pool.read(0, new Uint8Array(8), { lane }), wrong)
  }
  const header = host.content('a', 'part').subarray(0, pageSize)
  const read = new Uint8Array(pageSize)
  await pool.read(0, read)
  sameBytes(t, read, header, 'the header can be read and is as it was created')
  for (let lane = 0; lane < 3; lane++) pool.persistSync(pageSize, 8, { lane })
  await pool.close()
  t.match(host.log(), /pool closed: 3 messages/)
  memory.close()
})

t.test('a lane that one replica does not have is ERR_LANE_RANGE and costs no replica', async t => {
  const { pool } = await openPool(t)
  for (const lane of [8, 1000]) {
    t.throws(() => pool.persistSync(0, 8, { lane }), { code: 'ERR_LANE_RANGE' })
    await t.rejects(pool.persist(0, 8, { lane }), { code: 'ERR_LANE_RANGE' })
  }
  t.equal(pool.state, 'open')
  pool.persistSync(0, 8, { lane: 7 })
  await pool.close()
})

t.test('closing during persists lets each of them settle, and what was confirmed is on the target', async t => {
  const { pool, host, set } = await openPool(t)
  const each = 4096
  const count = 500
  for (let at = 0; at < count; at++) pool.view(at * each, each).fill(at % 251)
  const persists = Array.from({ length: count }, (_, at) => pool.persist(at * each, each))
  const closes = [pool.close(), pool.close()]
  await t.rejects(pool.persist(0, 8), { code: 'ERR_CLOSED' }, 'after close, although others are under way')
  const outcomes = await Promise.allSettled(persists)
  await Promise.all(closes)
  const confirmed = outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [at] : []))
  t.equal(confirmed.length, count, 'what was begun before is let finish')
  const file = host.content('a', 'part')
  const missing = confirmed.find(
    at => !file.subarray(pageSize + at * each, pageSize + (at + 1) * each).equals(Buffer.alloc(each, at % 251)),
  )
  t.equal(missing, undefined)
  await host.allEnd()
  await (await Pool.open(set, { remote: host.options })).close()
})

t.test('closing a remote pool during persists settles them all', async t => {
  const { pool, memory, host } = await openRemote(t)
  const persists = Array.from({ length: 200 }, (_, at) => pool.persist(pageSize + at * 8192, 8192))
  const reading = pool.read(0, new Uint8Array(MiB))
  await pool.close()
  const outcomes = await Promise.allSettled([...persists, reading])
  const strange = outcomes.find(outcome => outcome.status === 'rejected' && !hasCode(outcome.reason, 'ERR_CLOSED'))
  t.equal(strange, undefined, 'each has succeeded or says that the pool was closed')
  await t.rejects(pool.persist(pageSize, 8), { code: 'ERR_CLOSED' })
  t.throws(() => pool.persistSync(pageSize, 8), { code: 'ERR_CLOSED' })
  await pool.close()
  memory.close()
  t.not(await host.allEnd(), undefined)
})
