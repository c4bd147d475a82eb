import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { KiB, MiB, pageSize } from '../../core/index.js'
import { Pool } from '../../pool/index.js'
import { scratch, writeSet } from './scratch.js'
import { connectorTo, ScriptedTarget } from './scripted-target.js'

/** A master, a local replica and a target. */
async function mirrored(t: Test) {
  const directory = scratch(t)
  const target = new ScriptedTarget('node1')
  const set = writeSet(directory, 'x.set', `3M ${directory}/a`, 'REPLICA', `3M ${directory}/b`, 'REPLICA node1 x')
  const connectRemote = connectorTo(target)
  const pool = await Pool.create(set, { connectRemote })
  t.teardown(() => pool.close())
  pool.memsetPersistSync(0, 5, MiB)
  return { directory, set, target, pool, connectRemote }
}

t.test('replicas that are equal are found equal, whole', async t => {
  const { pool } = await mirrored(t)
  const comparedBytes = 3 * MiB - pageSize
  t.strictSame(await pool.verify(), [
    { replica: 'local replica 1', comparedBytes, differing: [], repairedBytes: 0 },
    { replica: 'node1 x', comparedBytes, differing: [], repairedBytes: 0 },
  ])
})

t.test('what differs is named as the user counts, and sent again if asked', async t => {
  const { pool, target, directory, set, connectRemote } = await mirrored(t)
  await pool.close()
  const local = readFileSync(`${directory}/b`)
  local[pageSize + 130 * KiB] = 6
  writeFileSync(`${directory}/b`, local)
  target.bytes[target.bytes.length - 1] = 9
  target.bytes.fill(1, pageSize, pageSize + 65 * KiB)
  const again = await Pool.open(set, { connectRemote })
  t.teardown(() => again.close())
  t.match(await again.verify(), [
    { differing: [{ offset: 128 * KiB, length: 64 * KiB }] },
    { differing: [{ offset: 0, length: 128 * KiB }, { length: 60 * KiB }] },
  ])
  const repaired = await again.verify({ repair: true })
  t.match(repaired, [{ repairedBytes: 64 * KiB }, { repairedBytes: 188 * KiB }])
  t.match(await again.verify(), [{ differing: { length: 0 } }, { differing: { length: 0 } }])
})

t.test('a block that the program writes to meanwhile is no difference', async t => {
  const { pool, target } = await mirrored(t)
  let looks = 0
  target.onKeeping = async () => {
    // Seen half done at first: stored here, and not yet there.
    if (++looks === 1) pool.view(200 * KiB, 9 * KiB).fill(100)
    if (looks === 3) pool.persistSync(200 * KiB, 9 * KiB)
  }
  const [, remote] = await pool.verify()
  t.strictSame(remote?.differing, [])
  t.ok(looks >= 3, 'it looked again')
})

t.test('a replica that is lost cannot be verified, and an abort ends the work', async t => {
  const { pool, target } = await mirrored(t)
  const stop = AbortSignal.abort(new Error('enough'))
  await t.rejects(pool.verify({ signal: stop }), { message: 'enough' })
  target.onKeeping = async () => {
    throw new Error('the target is gone')
  }
  await t.rejects(pool.verify(), { message: 'the target is gone' })
})
