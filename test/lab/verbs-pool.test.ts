import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { attributesEqual } from '../../core/index.js'
import type { RemotePool } from '../../initiator/index.js'
import { Pool } from '../../initiator/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { attributes, pattern, poolSize, type VerbsNode, verbsNode } from './verbs-node.js'

/** Everything that a pool can do, and that it arrived. */
async function exercise(pool: RemotePool, { memory, part }: Pick<VerbsNode, 'memory' | 'part'>): Promise<void> {
  const bytes = pattern(300_000, pool.laneCount)
  memory.view(4096, bytes.length).set(bytes)
  for (let lane = 0; lane < pool.laneCount; lane++) pool.persistSync(4096 + lane * 64, 64, { lane })
  await pool.persist(4096 + 2048, 100_000)
  pool.flush(4096 + 100_000, 50_000)
  pool.flush(4096 + 150_000, 50_000, { relaxed: true })
  await pool.drain()
  pool.deepPersistSync(4096 + 200_000, 100_000)
  pool.persistSync(4096, 100_000, { relaxed: true })
  const seen = new Uint8Array(bytes.length)
  await pool.read(4096, seen)
  if (Buffer.compare(seen, bytes) !== 0) throw new Error('what is read is not what was persisted')
  const inFile = readFileSync(part).subarray(4096, 4096 + bytes.length)
  if (Buffer.compare(inFile, bytes) !== 0) throw new Error('what is in the part is not what was persisted')
}

for (const pmdk of [false, true]) {
  const dialect = pmdk ? 'PMDK' : 'rpmem'
  t.test(`over verbs, in the ${dialect} dialect, a pool does all that it can over tcp`, async t => {
    const bed = await verbsNode(t, { pmdk }, '/mnt/disk')
    const pool = await bed.create()
    t.match(pool.transport, { provider: 'verbs', persistMethod: 'GPSPM', why: [{ chosen: true }, {}, {}] })
    await exercise(pool, bed)
    await pool.setAttributes({ ...attributes, major: 2 })
    await pool.close()
    const again = await bed.open()
    t.ok(again.attributes && attributesEqual(again.attributes, { ...attributes, major: 2 }))
    await again.close()
  })

  t.test(`over verbs, in the ${dialect} dialect, few lanes and the most serve`, async t => {
    const bed = await verbsNode(t, { pmdk })
    await (await bed.create({ lanes: 1 })).close()
    // Every number between them is up to the compliance kit (verbs-fabric.test.ts): here each costs a start of the daemon.
    for (const lanes of [1, 7, 16]) {
      const pool = await bed.open({ lanes })
      t.equal(pool.laneCount, lanes)
      await exercise(pool, bed)
      await pool.close()
    }
  })

  t.test(`over verbs, in the ${dialect} dialect, a target with APM is served by a read`, async t => {
    // As on device DAX, which can be pinned: the kernel takes tmpfs for no DAX, and libpmem2 is told otherwise.
    const environment = { PMEM2_FORCE_GRANULARITY: 'CACHE_LINE' }
    const bed = await verbsNode(t, { pmdk, environment, arguments: ['--persist-apm'] }, '/mnt/disk')
    const pool = await bed.create()
    t.match(pool.transport, { provider: 'verbs', persistMethod: 'APM' })
    await exercise(pool, bed)
    await pool.close({ remove: true })
  })
}

t.test('a pool with local parts on a disk and on DAX is mirrored over verbs', async t => {
  for (const local of ['/mnt/disk', '/mnt/pmem']) {
    const { node, part, options } = await verbsNode(t)
    const set = join(node.folder, 'local.set')
    writeFileSync(set, `PMEMPOOLSET\n8M ${local}/master\nREPLICA ${node.address} a.set\n`)
    const pool = await Pool.create(set, { signature: 'MIRRORED', remote: options })
    t.same(
      pool.replicas.map(({ transport }) => transport?.provider),
      [undefined, 'verbs'],
    )
    pool.view(0, 200_000).set(pattern(200_000))
    pool.persistSync(0, 200_000)
    await pool.persist(100, 50_000)
    sameBytes(t, readFileSync(part).subarray(4096, 204_096), pattern(200_000), 'at the target')
    sameBytes(t, readFileSync(`${local}/master`).subarray(4096, 204_096), pattern(200_000), 'here')
    await pool.close()
    rmSync(`${local}/master`)
  }
})

t.test('a target on a file system with DAX is served over tcp, and it says why', async t => {
  const bed = await verbsNode(t, {}, '/mnt/pmem')
  await t.rejects(bed.create({ transport: { require: 'verbs' } }), {
    code: 'ERR_NO_PROVIDER',
    facts: { verbs: /on the target: .*not supported/ },
  })
  const pool = await bed.create()
  t.match(pool.transport, { provider: 'tcp', persistMethod: 'GPSPM', why: [{ chosen: false }, { chosen: true }, {}] })
  await exercise(pool, bed)
  await pool.close({ remove: true })
})

t.test('a daemon that is killed is noticed, and what was confirmed is there', async t => {
  const { node, memory, part, create, open } = await verbsNode(t)
  const pool = await create()
  memory.view(4096, 64).set(pattern(64))
  pool.persistSync(4096, 64)
  const lost = holding(new Promise(resolve => pool.once('lost', resolve)))
  process.kill(node.daemon(), 'SIGKILL')
  await lost
  await t.rejects(pool.persist(4096, 64), { code: 'ERR_TARGET_LOST' })
  t.throws(() => pool.persistSync(4096, 64), { code: 'ERR_TARGET_LOST' })
  await pool.close()
  sameBytes(t, readFileSync(part).subarray(4096, 4160), pattern(64), 'in the part file')
  const again = await open()
  t.equal(again.transport.provider, 'verbs')
  await again.close()
})

t.test('a daemon that is stopped lets no call outlive its deadline', async t => {
  const { node, create } = await verbsNode(t)
  const pool = await create()
  const daemon = node.daemon()
  process.kill(daemon, 'SIGSTOP')
  t.teardown(() => process.kill(daemon, 'SIGCONT'))
  t.throws(() => pool.persistSync(4096, 64, { deadlineMs: 500 }), { code: 'ERR_DEADLINE' })
  await t.rejects(pool.persist(4096, poolSize - 4096), { name: 'RpmemError' })
})

/** A watchdog holds no process; a test has to. */
async function holding<Result>(promise: Promise<Result>): Promise<Result> {
  const holding = setTimeout(() => {}, 60_000)
  return promise.finally(() => clearTimeout(holding))
}
