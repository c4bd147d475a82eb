import { readFileSync, rmSync } from 'node:fs'
import t from 'tap'
import { MiB } from '../../core/index.js'
import { Pool, restore } from '../../pool/index.js'
import { scratch, writeSet } from './scratch.js'

for (const [kind, options, parts] of [
  ['several parts', [], ['3M NAME-1', '4M NAME-2']],
  ['a single header', ['OPTION SINGLEHDR'], ['3M NAME-1', '4M NAME-2']],
  ['no headers', ['OPTION NOHDRS'], ['3M NAME-1', '4M NAME-2']],
] as const) {
  const replica = (directory: string, name: string) => parts.map(part => part.replace('NAME', `${directory}/${name}`))
  for (const lost of ['a', 'b']) {
    t.test(`replica ${lost} of local replicas with ${kind} is made again`, async t => {
      const directory = scratch(t)
      const lines = [
        ...options,
        ...replica(directory, 'a'),
        'REPLICA',
        ...replica(directory, 'b'),
        'REPLICA',
        ...replica(directory, 'c'),
      ]
      const set = writeSet(directory, 'x.set', ...lines)
      const pool = await Pool.create(set)
      for (let at = 0; at < pool.size - 8; at += 333_333) pool.memsetPersistSync(at, 1 + (at % 200), 8)
      const bytes = Buffer.from(pool.view(0, pool.size))
      await pool.close()
      for (const part of [1, 2]) rmSync(`${directory}/${lost}-${part}`)
      const told: string[] = []
      const { steps, unreachable } = await restore(set, { onStep: text => told.push(text) })
      t.strictSame(told, steps)
      t.equal(steps.length, 2)
      t.strictSame(unreachable, [])
      const again = await Pool.open(set)
      t.teardown(() => again.close())
      t.ok(Buffer.from(again.view(0, again.size)).equals(bytes))
      t.match(await again.verify(), [{ differing: { length: 0 } }, { differing: { length: 0 } }])
    })
  }
}

t.test('a part that is missing makes its replica damaged, and the other stays as it is', async t => {
  const directory = scratch(t)
  const set = writeSet(directory, 'x.set', `3M ${directory}/a`, `3M ${directory}/a2`, 'REPLICA', `6M ${directory}/b`)
  const pool = await Pool.create(set)
  pool.memsetPersistSync(4 * MiB, 3, 8)
  await pool.close()
  const before = readFileSync(`${directory}/b`)
  rmSync(`${directory}/a2`)
  await t.rejects(restore(set), { code: 'ERR_PART_EXISTS' })
  await restore(set, { force: true })
  t.ok(readFileSync(`${directory}/b`).subarray(4096).equals(before.subarray(4096)))
  const again = await Pool.open(set)
  t.equal(again.view(4 * MiB, 1)[0], 3)
  await again.close()
})

t.test('a pool that is in use is left alone', async t => {
  const directory = scratch(t)
  const set = writeSet(directory, 'x.set', `3M ${directory}/a`, 'REPLICA', `3M ${directory}/b`)
  const pool = await Pool.create(set)
  await t.rejects(restore(set), { code: 'ERR_POOL_BUSY' })
  await pool.close()
})
