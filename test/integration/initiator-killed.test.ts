import t, { type Test } from 'tap'
import { seededRandom } from '../../core/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { slotCount, slotSize, wordsOf } from '../pool/records.js'
import { Child } from './child.js'
import { type MirroredPool, mirroredPool } from './mirrored-pool.js'

const seed = Number(process.env.RPMEM_TEST_SEED ?? Date.now() % 2 ** 31)
const random = seededRandom(seed)

/** Runs the writer until it has confirmed some number of records, then kills it. Gives all that it confirmed. */
async function killedWriter(t: Test, { host, set }: MirroredPool, how: string): Promise<number[]> {
  const writer = new Child(t, 'writer-child.js', [how, set, JSON.stringify(host.options)])
  t.equal(await writer.line(), 'open')
  const enough = 1 + (random.bytes(1)[0] ?? 0)
  const confirmed: number[] = []
  for (let line = await writer.line(); line !== undefined; line = await writer.line()) {
    confirmed.push(Number(line))
    if (confirmed.length === enough) writer.process.kill('SIGKILL')
  }
  t.equal(await writer.ended, 'SIGKILL')
  t.ok(confirmed.length >= enough, `killed after ${confirmed.length} records`)
  return confirmed
}

/** The first slot of `slots` without its last confirmed record. A later one that was under way may lie over it in part. */
function wrongSlot(bytes: Uint8Array, confirmed: readonly number[], slots: number): string | undefined {
  const last = new Map<number, number>()
  for (const number of confirmed) last.set(number % slots, Math.max(number, last.get(number % slots) ?? 0))
  for (const [slot, number] of last) {
    const found = wordsOf(bytes.subarray(slot * slotSize, (slot + 1) * slotSize))
    const next = number + slots
    if (found.has(next)) found.delete(next)
    else if (!found.has(number)) return `slot ${slot} lacks ${number}`
    found.delete(number)
    if (found.size > 0) return `slot ${slot} holds ${[...found]} beside ${number}`
  }
  return undefined
}

for (const [how, slots] of [
  ['sync', slotCount],
  ['async', slotCount * 8],
] as const) {
  t.test(`kill -9 of an initiator during ${how} persists, twice (RPMEM_TEST_SEED=${seed})`, async t => {
    const bed = await mirroredPool(t)
    const { host } = bed
    await bed.pool.close()
    await host.allEnd()
    for (let round = 0; round < 2; round++) {
      const confirmed = await killedWriter(t, bed, how)
      t.not(await host.allEnd(2000), undefined, 'the daemons end within two seconds')
      for (const target of ['a', 'b']) {
        t.equal(wrongSlot(bed.replica(target), confirmed, slots), undefined, `${target} has what was confirmed`)
      }
      const pool = await bed.reopen()
      t.equal(pool.state, 'open', 'the locks are gone and the pool opens')
      t.equal(wrongSlot(pool.view(0, pool.size), confirmed, slots), undefined, 'so has the master')
      // What was under way may differ between the replicas; a persist of everything makes them one again.
      pool.memsetPersistSync(0, 0, slots * slotSize)
      pool.persistSync(0, pool.size)
      await pool.close()
      await host.allEnd()
      sameBytes(t, bed.replica('a'), bed.replica('b'), 'the replicas are alike again')
    }
  })
}
