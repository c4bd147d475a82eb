import t from 'tap'
import { RemotePoolReplica } from '../../initiator/remote-replica.js'
import { targetBed } from './target-bed.js'

t.test('an empty range is durable on a remote replica without asking it, also at the end of the pool', async t => {
  const { create, stop } = await targetBed(t)
  const pool = await create()
  const replica = new RemotePoolReplica(pool, 'node2 single.set')
  stop()
  for (const offset of [4096, pool.size]) {
    replica.start(offset, 0, {}).finishSync()
    await replica.start(offset, 0, { deep: true }).finish()
    replica.flush(offset, 0, {})
  }
  t.throws(() => pool.persistSync(pool.size, 0), { code: 'ERR_RANGE' }, 'as rpmem_persist(3) has it')
})
