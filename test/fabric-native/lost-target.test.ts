import { once } from 'node:events'
import t from 'tap'
import { hasCode, pageSize } from '../../core/index.js'
import type { Lanes } from '../../fabric-native/index.js'
import { downOf } from '../fixture/down-of.js'
import { connectProcess, stop } from './service-process.js'

const unknown = { durability: 'unknown' }
const lost = { code: 'ERR_TARGET_LOST', ...unknown }
const late = { code: 'ERR_DEADLINE', ...unknown }

const since = (start: number): number => performance.now() - start

for (const provider of ['tcp', 'sockets'] as const) {
  t.test(`${provider}: a killed target is noticed while nothing is under way`, async t => {
    const { target, lanes } = await connectProcess(t, provider, 2)
    lanes.persistSync(pageSize, 64)
    const down = downOf(lanes)
    const start = performance.now()
    target.kill('SIGKILL')
    t.ok(hasCode(await down, 'ERR_TARGET_LOST'))
    t.ok(since(start) < 3000, 'within three seconds')
    t.throws(() => lanes.persistSync(pageSize, 64), lost)
  })

  t.test(`${provider}: a killed target fails everything that is pending`, async t => {
    const { target, lanes } = await connectProcess(t, provider, 2)
    lanes.persistSync(pageSize, 64)
    await stop(target)
    const pending = Array.from({ length: 100 }, (_, n) => lanes.persist(pageSize + n * 64, 64, { lane: n % 2 }))
    pending.push(lanes.read(0, new Uint8Array(4096)), lanes.drain())
    const ticket = lanes.start(pageSize, 64)
    const settled = Promise.allSettled(pending)
    const start = performance.now()
    target.kill('SIGKILL')
    for (const result of await settled)
      t.ok(result.status === 'rejected' && hasCode(result.reason, 'ERR_TARGET_LOST'), 'lost')
    t.ok(since(start) < 3000, 'within three seconds')
    t.throws(() => lanes.finishSync(ticket), lost)
  })

  t.test(`${provider}: a stopped target lets no call outlive its deadline`, async t => {
    const calls: Record<string, (lanes: Lanes) => unknown> = {
      persistSync: lanes => lanes.persistSync(pageSize, 64, { deadlineMs: 150 }),
      'a large persistSync': lanes => lanes.persistSync(pageSize, 4_000_000, { deadlineMs: 150 }),
      'a large relaxed persistSync': lanes =>
        lanes.persistSync(pageSize, 4_000_000, { relaxed: true, deadlineMs: 150 }),
      readSync: lanes => lanes.readSync(pageSize, new Uint8Array(64), { deadlineMs: 150 }),
      drainSync(lanes) {
        lanes.flush(pageSize, 64)
        lanes.drainSync({ deadlineMs: 150 })
      },
      finishSync: lanes => lanes.finishSync(lanes.start(pageSize, 64, { deadlineMs: 150 })),
      persist: lanes => lanes.persist(pageSize, 64, { deadlineMs: 150 }),
      read: lanes => lanes.read(pageSize, new Uint8Array(64), { deadlineMs: 150 }),
      finish: lanes => lanes.finish(lanes.start(pageSize, 64, { deadlineMs: 150 })),
    }
    // The ways to wait are the same over every provider; one of each suffices for the slow one.
    const chosen = Object.entries(calls).filter(([name]) => provider === 'tcp' || /^(persist|readSync)/.test(name))
    for (const [name, call] of chosen) {
      const { target, lanes } = await connectProcess(t, provider)
      lanes.persistSync(pageSize, 64)
      await stop(target)
      const start = performance.now()
      await t.rejects(async () => call(lanes), late, name)
      t.ok(since(start) >= 149 && since(start) < 2000, `${name} ends at its deadline`)
      t.throws(() => lanes.persistSync(pageSize, 64), late, 'and the lanes are down')
    }
  })

  t.test(`${provider}: a persist that nobody awaits reaches its deadline as well`, async t => {
    const { target, lanes } = await connectProcess(t, provider)
    const down = downOf(lanes)
    await stop(target)
    lanes.start(pageSize, 64, { deadlineMs: 50 })
    t.ok(hasCode(await down, 'ERR_DEADLINE'))
  })

  t.test(`${provider}: a target that goes on after a pause has lost nothing`, async t => {
    const { target, lanes } = await connectProcess(t, provider)
    await stop(target)
    const pending = Array.from({ length: 500 }, (_, n) => lanes.persist(pageSize + n * 64, 64, { deadlineMs: 30_000 }))
    target.kill('SIGCONT')
    await Promise.all(pending)
    lanes.persistSync(pageSize, 64)
    t.equal(lanes.down, undefined)
  })

  t.test(`${provider}: lanes are closed while the target is stopped`, async t => {
    const { target, lanes } = await connectProcess(t, provider)
    await stop(target)
    const pending = t.rejects(lanes.persist(pageSize, 1_000_000), { code: 'ERR_CLOSED', ...unknown })
    const start = performance.now()
    await lanes.close()
    await pending
    t.ok(since(start) < 1000)
  })
}

t.test('a target that closes in peace is lost as well', async t => {
  const { target, lanes } = await connectProcess(t, 'tcp')
  const down = downOf(lanes)
  target.send('close')
  t.ok(hasCode(await down, 'ERR_TARGET_LOST'))
  if (target.exitCode === null) await once(target, 'exit')
  t.equal(target.exitCode, 0)
})
