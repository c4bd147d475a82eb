import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { pageSize, seededRandom } from '../../core/index.js'
import type { ReplicaLoss } from '../../pool/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { Load } from './load.js'
import { type MirroredPool, mirroredPool } from './mirrored-pool.js'

const seed = Number(process.env.RPMEM_TEST_SEED ?? Date.now() % 2 ** 31)
const random = seededRandom(seed)
const deadlineMs = 3000
const longestMs = deadlineMs * 1.1

/** No attempt to connect again falls into these tests. */
const laterMs = { firstMs: 60_000, mostMs: 60_000 }

/** 0 … 255 milliseconds. */
const moment = (): number => random.bytes(1)[0] ?? 0

/** Kills from another process, so that the moment comes although this one is busy in a blocking call. */
function killSoon(pid: number, afterMs: number): ChildProcess {
  return spawn('sh', ['-c', `sleep ${afterMs / 1000}; kill -KILL ${pid}`], { stdio: 'ignore' })
}

/** One target of two dies while `work` runs; the rest is what must hold whenever that happens. */
async function proveSurvival(t: Test, work: (load: Load) => Promise<void> | void): Promise<void> {
  const bed = await mirroredPool(t, ['a', 'b'], {}, { resync: { backOff: laterMs } })
  const { host, pool } = bed
  const losses: ReplicaLoss[] = []
  pool.on('replica-lost', loss => losses.push(loss))
  const afterMs = moment()
  const killer = killSoon(host.daemonOf('b'), afterMs)
  const load = new Load(pool)
  await work(load)
  if (killer.exitCode === null) await once(killer, 'exit')
  t.comment(`killed after ${afterMs} ms, ${load.confirmed.length} confirmed, slowest ${load.slowestMs.toFixed(1)} ms`)

  t.ok(load.slowestMs < longestMs, 'no call outlived its deadline')
  for (const error of load.failures) {
    t.match(error, { code: 'ERR_PERSIST', durability: 'local', facts: { replicas: [/ b\/x\.set$/] } })
    t.match(error, { cause: { code: 'ERR_TARGET_LOST' } }, 'down to the reason')
  }
  t.match(losses, [{ kind: 'remote', replica: / b\/x\.set$/, error: { code: 'ERR_TARGET_LOST' } }], 'told once')
  t.equal(pool.state, 'degraded')
  t.match(pool.replicas, [{ failure: undefined }, { failure: undefined }, { failure: { code: 'ERR_TARGET_LOST' } }])
  t.equal(load.missingFrom(pool.view(0, pool.size)), undefined, 'the program lives on and reads')
  await proveFiles(t, bed, load)
}

async function proveFiles(t: Test, bed: MirroredPool, load: Load): Promise<void> {
  const { host, pool } = bed
  await t.resolves(pool.close(), 'the pool can be closed')
  t.not(await host.allEnd(), undefined, 'no daemon stays')
  const master = readFileSync(bed.master).subarray(pageSize)
  sameBytes(t, bed.replica('a'), master, 'the surviving replica equals the master')
  t.equal(load.missingFrom(bed.replica('b')), undefined, 'the lost replica has every confirmed record')
  const again = await bed.reopen()
  again.persistSync(0, again.size)
  await again.close()
  sameBytes(t, bed.replica('b'), master, 'the pool opens again, and the lost replica catches up')
}

for (let round = 0; round < 3; round++) {
  t.test(`kill -9 of a daemon during blocking persists, round ${round} (RPMEM_TEST_SEED=${seed})`, t =>
    proveSurvival(t, async load => {
      load.untilFailureSync(3)
    }),
  )

  t.test(`kill -9 of a daemon during 64 persists at a time, round ${round} (RPMEM_TEST_SEED=${seed})`, t =>
    proveSurvival(t, load => load.untilFailure(64, 100)),
  )
}
