import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { type OpenPoolOptions, Pool } from '../../pool/index.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

const page = 4096

async function checkedPool(t: Test, options: OpenPoolOptions = { trackUnpersisted: true }) {
  const set = join(temporaryFolder(t), 'pool.set')
  writeFileSync(set, 'PMEMPOOLSET\n8M part0\nREPLICA\n8M part1\n'.replaceAll('part', join(set, '..', 'part')))
  const pool = await Pool.create(set, options)
  t.teardown(() => pool.close().catch(() => {}))
  return { set, pool }
}

t.test('a pool that was just created or opened has nothing left to persist', async t => {
  const { set, pool } = await checkedPool(t)
  t.same(pool.findUnpersisted(), [])
  pool.view(100, 1)[0] = 1
  await pool.close()
  const again = await Pool.open(set, { trackUnpersisted: true })
  t.same(again.findUnpersisted(), [])
  await again.close()
})

t.test('stored bytes are found until they are persisted, and only they', async t => {
  const { pool } = await checkedPool(t)
  const view = pool.view(0, 8 * page)
  view[10] = 1
  view[3 * page + 5] = 1
  view[3 * page + 9] = 1
  const third = { offset: 3 * page, first: 3 * page + 5, last: 3 * page + 9 }
  t.same(pool.findUnpersisted(), [{ offset: 0, first: 10, last: 10 }, third])
  pool.persistSync(0, 64)
  t.same(pool.findUnpersisted(), [third], 'asking changes nothing')
  await pool.persist(3 * page, 7)
  t.same(pool.findUnpersisted(), [{ ...third, first: 3 * page + 9 }], 'the neighbour in the same page is found')
  await pool.deepPersist(3 * page + 9, 1)
  t.same(pool.findUnpersisted(), [])
  view[3 * page + 9] = 2
  view[3 * page + 9] = 1
  t.same(pool.findUnpersisted(), [], 'what is as it was persisted needs nothing')
})

t.test('a flush counts once it is drained, with the bytes that were flushed', async t => {
  const { pool } = await checkedPool(t)
  const view = pool.view(0, page)
  view[7] = 1
  pool.flush(0, 64)
  t.equal(pool.findUnpersisted().length, 1)
  view[8] = 1
  await pool.drain()
  t.same(pool.findUnpersisted(), [{ offset: 0, first: 8, last: 8 }])
  pool.flush(8, 1)
  pool.drainSync()
  t.same(pool.findUnpersisted(), [])
})

t.test('the copying forms leave nothing behind but what they were told to', async t => {
  const { pool } = await checkedPool(t)
  pool.memcpyPersistSync(5, Buffer.from('abc'))
  await pool.memsetPersist(page, 7, 100)
  await pool.memmovePersist(2 * page, page, 50)
  t.same(pool.findUnpersisted(), [])
  pool.memsetPersistSync(3 * page, 1, 2, { noFlush: true })
  t.same(pool.findUnpersisted(), [{ offset: 3 * page, first: 3 * page, last: 3 * page + 1 }])
  pool.persistSync(3 * page, 2)
  pool.memsetPersistSync(3 * page, 2, 2, { noDrain: true })
  t.equal(pool.findUnpersisted().length, 1)
  pool.drainSync()
  t.same(pool.findUnpersisted(), [])
})

t.test('what worker threads persist counts, and what they forget is found', async t => {
  const { pool } = await checkedPool(t)
  const worker = new Worker(fileURLToPath(new URL('unpersisted-worker.js', import.meta.url)), {
    workerData: pool.share(),
  })
  t.teardown(() => worker.terminate())
  await once(worker, 'message')
  t.same(pool.findUnpersisted(), [{ offset: page, first: page + 1, last: page + 1 }])
})

t.test('close throws for what was never persisted, if it was asked to, and the pool is closed', async t => {
  const { set, pool } = await checkedPool(t, { throwUnpersisted: true })
  pool.view(page, 1)[0] = 1
  await t.rejects(pool.close(), { code: 'ERR_UNPERSISTED', facts: { pages: 1, first: page, last: page } })
  t.equal(pool.state, 'closed')
  const again = await Pool.open(set, { throwUnpersisted: true })
  again.view(page, 1)[0] = 2
  again.persistSync(page, 1)
  await again.close()
})

t.test('a pool without the option does not know', async t => {
  const { pool } = await checkedPool(t, {})
  t.throws(() => pool.findUnpersisted(), { code: 'ERR_ARGUMENT' })
  pool.view(0, 1)[0] = 1
  await pool.close()
  t.throws(() => pool.findUnpersisted(), { code: 'ERR_CLOSED' })
})
