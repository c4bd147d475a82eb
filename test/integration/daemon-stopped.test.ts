import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { pageSize } from '../../core/index.js'
import type { ReplicaLoss } from '../../pool/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { Load } from './load.js'
import { type MirroredPool, mirroredPool } from './mirrored-pool.js'
import { processIsThere, within } from './process-end.js'

const noticedMs = 3000
/** A deadline and a tenth. */
const longestMs = noticedMs * 1.1

/** Stops the daemon of `b` as a debugger or a dying machine would. It is told to go on when the test ends. */
function stop(t: Test, { host }: MirroredPool): number {
  const pid = host.daemonOf('b')
  process.kill(pid, 'SIGSTOP')
  t.teardown(() => {
    if (processIsThere(pid)) process.kill(pid, 'SIGCONT')
  })
  return pid
}

/** The event, and a timer that holds the process: the watchdog itself never does. */
async function lossOf({ pool }: MirroredPool): Promise<ReplicaLoss> {
  const holding = setTimeout(() => {}, 2 * noticedMs)
  try {
    const [loss] = (await once(pool, 'replica-lost', { signal: AbortSignal.timeout(2 * noticedMs) })) as [ReplicaLoss]
    return loss
  } finally {
    clearTimeout(holding)
  }
}

async function proveRest(t: Test, bed: MirroredPool, load: Load, pid: number): Promise<void> {
  const { host, pool } = bed
  for (const error of load.failures) t.match(error, { code: 'ERR_PERSIST', durability: 'local' })
  const start = performance.now()
  await pool.persist(0, 8).then(
    () => t.fail('a lost replica confirms nothing'),
    error => t.match(error, { code: 'ERR_PERSIST', facts: { replicas: [/ b\/x\.set$/] } }),
  )
  t.ok(performance.now() - start < 1000, 'what comes later fails at once')
  await pool.close()
  t.ok(performance.now() - start < longestMs, 'the pool closes although the daemon stands still')
  sameBytes(t, bed.replica('a'), readFileSync(bed.master).subarray(pageSize), 'the other replica equals the master')
  process.kill(pid, 'SIGCONT')
  t.not(await within(2000, () => !processIsThere(pid)), undefined, 'once it goes on, the daemon finds that it is alone')
  t.strictSame(host.daemons(), [])
  const again = await bed.reopen()
  again.persistSync(0, again.size)
  await again.close()
  sameBytes(t, bed.replica('b'), bed.replica('a'), 'and its pool opens again')
}

t.test('a daemon that stands still is noticed while nothing is under way', async t => {
  const bed = await mirroredPool(t)
  const pid = stop(t, bed)
  const start = performance.now()
  const loss = await lossOf(bed)
  t.ok(performance.now() - start < noticedMs, 'in time')
  t.match(loss, { kind: 'remote', replica: / b\/x\.set$/, error: { code: 'ERR_TARGET_LOST', durability: 'unknown' } })
  await proveRest(t, bed, new Load(bed.pool), pid)
})

t.test('a daemon that stands still ends 64 persists under way in time', async t => {
  const bed = await mirroredPool(t)
  const load = new Load(bed.pool)
  for (let at = 0; at < 20; at++) await load.persist()
  const pid = stop(t, bed)
  const start = performance.now()
  await load.untilFailure(64, 64)
  t.ok(performance.now() - start < longestMs, 'in time')
  t.ok(load.slowestMs < longestMs, `the slowest took ${load.slowestMs.toFixed(0)} ms`)
  await proveRest(t, bed, load, pid)
})

t.test('a daemon that stands still ends a blocking persist at its deadline', async t => {
  const bed = await mirroredPool(t)
  const load = new Load(bed.pool)
  for (let at = 0; at < 20; at++) await load.persist()
  const pid = stop(t, bed)
  const start = performance.now()
  load.untilFailureSync(20)
  t.ok(performance.now() - start < longestMs, 'all of them together, for the first names the replica as lost')
  t.match(load.failures[0], { cause: { code: 'ERR_DEADLINE' } })
  await proveRest(t, bed, load, pid)
})

t.test('a deadline of the caller is kept', async t => {
  const bed = await mirroredPool(t, ['b'])
  const pid = stop(t, bed)
  const start = performance.now()
  t.throws(() => bed.pool.persistSync(0, 64, { deadlineMs: 300 }), {
    code: 'ERR_PERSIST',
    durability: 'local',
    cause: { code: 'ERR_DEADLINE' },
  })
  const took = performance.now() - start
  t.ok(took >= 290 && took < 600, `${took.toFixed(0)} ms`)
  process.kill(pid, 'SIGCONT')
  await bed.pool.close()
})
