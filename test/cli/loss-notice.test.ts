import { EventEmitter } from 'node:events'
import t from 'tap'
import { lossNotice } from '../../cli/loss-notice.js'

t.test('it resolves when the pool says that a replica is lost', async t => {
  const pool = new EventEmitter()
  const notice = lossNotice(pool, 60_000)
  pool.emit('replica-lost', { replica: 'node-a' })
  await t.resolves(notice)
  t.equal(pool.listenerCount('replica-lost'), 0)
})

t.test('a loss that nobody notices in time is an error with words of its own', async t => {
  // The clock of AbortSignal.timeout alone does not keep a process running.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  await t.rejects(lossNotice(new EventEmitter(), 5), {
    code: 'ERR_DEADLINE',
    message: 'the loss of a target was not noticed within 0.005 s',
  })
})
