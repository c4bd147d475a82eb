import t, { type Test } from 'tap'
import { type Policy, Pool } from '../../pool/index.js'
import { scratch, writeSet } from './scratch.js'
import { connectorTo, ScriptedTarget } from './scripted-target.js'

async function congested(t: Test, policy: Policy) {
  const directory = scratch(t)
  const target = new ScriptedTarget('node')
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA node x')
  const pool = await Pool.create(set, { connectRemote: connectorTo(target), policy })
  t.teardown(() => pool.close())
  const persists = () => target.calls.filter(call => call.startsWith('persist')).length
  return { target, pool, persists }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

t.test('one persist more than may be under way begins when another has ended, in the order of the calls', async t => {
  const { target, pool, persists } = await congested(t, { mostPending: 2 })
  target.hold()
  const ended: number[] = []
  const calls = [0, 1, 2, 3].map(n => pool.persist(n * 64, 8).then(() => ended.push(n)))
  await turn()
  t.equal(persists(), 2)
  target.release()
  await Promise.all(calls)
  t.equal(persists(), 4)
  t.strictSame(ended, [0, 1, 2, 3])
})

t.test('one persist more fails at once where the policy says so, and nothing of it is begun', async t => {
  const { target, pool, persists } = await congested(t, { mostPending: 1, onCongestion: 'fail' })
  target.hold()
  const first = pool.persist(0, 8)
  await t.rejects(pool.persist(64, 8), { code: 'ERR_CONGESTED', durability: 'none', facts: { mostPending: 1 } })
  t.equal(persists(), 1)
  const patient = pool.persist(64, 8, { policy: { mostPending: 2 } })
  target.release()
  await Promise.all([first, patient])
  await pool.persist(128, 8)
})

t.test('a call that waits for its turn does not outlive its deadline, and close waits for the rest', async t => {
  const { target, pool, persists } = await congested(t, { mostPending: 1, deadlineMs: 20 })
  target.hold()
  const first = pool.persist(0, 8)
  await t.rejects(pool.persist(64, 8), { code: 'ERR_CONGESTED', durability: 'none' })
  const third = pool.persist(128, 8, { deadlineMs: 60_000 })
  const closing = pool.close()
  target.release()
  t.equal((await third).replicas.length, 2)
  await Promise.all([first, closing])
  t.equal(persists(), 2)
})

t.test('the deadline of the policy reaches every replica, unless the call has its own', async t => {
  const { target, pool } = await congested(t, { deadlineMs: 123 })
  pool.persistSync(0, 8)
  await pool.persist(0, 8, { deadlineMs: 45 })
  await pool.persist(0, 8, { policy: { deadlineMs: 67 } })
  pool.flush(0, 8)
  pool.drainSync()
  t.strictSame(target.deadlines, [123, 45, 67])
})

t.test('a policy of numbers that make no sense is refused', async t => {
  const { pool } = await congested(t, {})
  for (const policy of [{ deadlineMs: 0 }, { mostPending: 0 }, { mostPending: 1.5 }, { deadlineMs: 2 ** 31 }]) {
    const directory = scratch(t)
    const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA node x')
    const connectRemote = connectorTo(new ScriptedTarget('node'))
    await t.rejects(Pool.create(set, { connectRemote, policy }), { code: 'ERR_ARGUMENT' })
  }
  t.equal(pool.state, 'open')
})
