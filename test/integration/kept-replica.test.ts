import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { KiB, pageSize, RpmemError, seededRandom, systemClock } from '../../core/index.js'
import { Pool, RemotePool } from '../../initiator/index.js'
import { type Policy, recordPath, removePart } from '../../pool/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { type MirroredPool, mirroredPool } from './mirrored-pool.js'

const seed = Number(process.env.RPMEM_TEST_SEED ?? Date.now() % 2 ** 31)
const random = seededRandom(seed)
const kept = {
  resync: { backOff: { firstMs: 20, mostMs: 100 } },
  // Only the pool is under way in these tests, so its timers have to hold the process.
  clock: { nowMs: systemClock.nowMs, after: (ms: number, call: () => void) => systemClock.after(ms, call, 'holds') },
}
const degrade: Policy = { onReplicaLost: 'degrade' }

async function synced(pool: Pool): Promise<void> {
  while (pool.state === 'degraded') await once(pool, 'replica-state')
}

const draw = (below: number): number => {
  const [a = 0, b = 0, c = 0] = random.bytes(3)
  return (a + b * 256 + c * 65_536) % below
}

/** Persists at random places; every call has to succeed. */
async function write(pool: Pool, count: number): Promise<void> {
  for (let one = 0; one < count; one++) {
    const length = 1 + draw(20 * KiB)
    const offset = draw(pool.size - length)
    if (one % 2 === 0) pool.memsetPersistSync(offset, draw(256), length)
    else await pool.memsetPersist(offset, draw(256), length)
  }
}

async function sameEverywhere(t: Test, { pool, master, replica }: MirroredPool): Promise<void> {
  await pool.close()
  const bytes = readFileSync(master).subarray(pageSize)
  for (const target of ['a', 'b']) sameBytes(t, replica(target), bytes, `the copy of ${target}`)
}

t.test(`a daemon that is killed again and again under load comes back in step (RPMEM_TEST_SEED=${seed})`, async t => {
  const bed = await mirroredPool(t, ['a', 'b'], {}, { policy: degrade, ...kept })
  const { pool, host } = bed
  const states = new Set<string>()
  pool.on('replica-state', ({ state }) => states.add(state))
  for (let round = 0; round < 4; round++) {
    await write(pool, 20)
    const target = round % 2 === 0 ? 'b' : 'a'
    process.kill(host.daemonOf(target), 'SIGKILL')
    await write(pool, 30)
    await synced(pool)
  }
  t.ok(states.has('lost') && states.has('syncing') && states.has('synced'))
  await write(pool, 5)
  await sameEverywhere(t, bed)
})

t.test('a pool that needs all replicas rejects until the killed daemon is back', async t => {
  const bed = await mirroredPool(t, ['a', 'b'], {}, { policy: {}, ...kept })
  const { pool, host } = bed
  process.kill(host.daemonOf('a'), 'SIGKILL')
  let failures = 0
  const failed = (error: unknown) => {
    if (!(error instanceof RpmemError) || error.code !== 'ERR_PERSIST') throw error
    failures++
  }
  while (failures === 0) await pool.memsetPersist(draw(pool.size - 8), 1, 8).catch(failed)
  await synced(pool)
  await pool.memsetPersist(0, 2, 8)
  await sameEverywhere(t, bed)
})

t.test('a pool opens without a target, and brings it into step when it is there', async t => {
  const bed = await mirroredPool(t, ['a', 'b'], {}, { policy: degrade, ...kept })
  await write(bed.pool, 10)
  await bed.pool.close()
  await bed.host.allEnd()
  const restore = bed.host.hide('b')
  const pool = await Pool.open(bed.set, { ...bed.options, policy: degrade, ...kept })
  t.teardown(() => pool.close())
  t.equal(pool.state, 'degraded')
  t.match(pool.replicas[2]?.failure, { code: 'ERR_POOLSET_MISSING' }, 'the reason is told')
  await write(pool, 10)
  await t.rejects(Pool.open(bed.set, { ...bed.options, policy: {}, ...kept }), { code: 'ERR_POOL_BUSY' })
  restore()
  await synced(pool)
  await sameEverywhere(t, { ...bed, pool })
})

t.test('after a crash of the program every copy is compared, and mended where it differs', async t => {
  const bed = await mirroredPool(t, ['a', 'b'], {}, { policy: degrade, ...kept })
  await write(bed.pool, 20)
  await bed.pool.close()
  await bed.host.allEnd()
  bed.uncleanly()
  bed.damage('b', 300 * KiB)
  const pool = await Pool.open(bed.set, { ...bed.options, policy: {}, ...kept })
  t.equal(pool.state, 'open', 'a pool that needs all replicas waits for them')
  await sameEverywhere(t, { ...bed, pool })
})

t.test('a pool that is removed leaves neither record nor map', async t => {
  const { pool, host, master } = await mirroredPool(t, ['a', 'b'], {}, { policy: degrade, ...kept })
  await pool.close()
  await host.allEnd()
  t.ok(existsSync(recordPath(master)) && host.parts('a').includes('part.record'))
  await removePart(master)
  t.strictSame(
    readdirSync(host.folder).filter(name => name.startsWith('master')),
    [],
  )
  await RemotePool.remove(host.address, 'a/x.set', host.options)
  t.strictSame(host.parts('a'), [])
})
