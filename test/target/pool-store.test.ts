import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB, pageSize, zeroAttributes } from '../../core/index.js'
import { nativeStorage } from '../../pool/index.js'
import { FilePoolStore } from '../../target/pool-store.js'
import { scratch } from '../pool/scratch.js'

const attributes = { ...zeroAttributes(), signature: Buffer.from('TARGET!!'), major: 1, incompat: 3 }

function place(t: Test, ...lines: string[]) {
  const at = scratch(t)
  const folders = ['one', 'two'].map(name => join(at, name))
  for (const folder of folders) mkdirSync(folder)
  writeFileSync(join(at, 'pool.set'), ['PMEMPOOLSET', ...lines, ''].join('\n').replaceAll('AT', at))
  return { at, store: new FilePoolStore(at, nativeStorage), files: () => folders.map(folder => readdirSync(folder)) }
}

t.test('a target makes the one file that a pool over directories needs, as large as the initiator asks', async t => {
  const { at, store, files } = place(t, 'OPTION SINGLEHDR', '32M AT/one', '32M AT/two')
  await t.rejects(store.open('pool.set', 8 * MiB), { code: 'ERR_PART_MISSING' })
  await t.rejects(store.create('pool.set', 64 * MiB + pageSize, attributes), { code: 'ERR_POOL_SIZE' })
  t.same(files(), [[], []])
  const made = await store.create('pool.set', 40 * MiB, attributes)
  t.equal(made.size, 40 * MiB)
  made.memory.fill(40 * MiB - 1, 5, 1)
  await made.close()
  t.same(files(), [['000000.pmem'], []])
  await t.rejects(store.open('pool.set', 40 * MiB + 1), { code: 'ERR_POOL_SIZE' })
  const again = await store.open('pool.set', 40 * MiB)
  t.equal(again.attributes?.major, 1)
  t.equal(readFileSync(join(at, 'one/000000.pmem')).at(-1), 5)
  await again.close()
  await t.rejects(store.create('pool.set', 40 * MiB, attributes), { code: 'ERR_PART_EXISTS' })
})

t.test('what a failed creation has put into a directory is gone again', async t => {
  const { store, files } = place(t, 'OPTION SINGLEHDR', '32M AT/one', '32M AT/two')
  await t.rejects(store.create('pool.set', 8 * MiB, { ...attributes, incompat: 2 }), { code: 'ERR_ATTRIBUTES' })
  t.same(files(), [[], []])
  const made = await store.create('pool.set', 8 * MiB, attributes)
  await made.remove()
  t.same(files(), [[], []])
})

t.test('files that were made before serve a target in their order', async t => {
  const { at, store } = place(t, 'OPTION SINGLEHDR', '32M AT/one', '32M AT/two')
  writeFileSync(join(at, 'two/000000.pmem'), Buffer.alloc(4 * MiB))
  writeFileSync(join(at, 'one/000001.pmem'), Buffer.alloc(2 * MiB))
  const made = await store.create('pool.set', 6 * MiB, attributes)
  made.memory.fill(4 * MiB, 8, 1)
  await made.close()
  t.equal(readFileSync(join(at, 'one/000001.pmem'))[0], 8)
  await (await store.open('pool.set', 6 * MiB)).close()
})

t.test('directories without SINGLEHDR are refused by name', async t => {
  const { store } = place(t, '32M AT/one')
  await t.rejects(store.create('pool.set', 8 * MiB, { ...attributes, incompat: 2 }), {
    code: 'ERR_POOLSET_UNSUITABLE',
    message: /cannot be used on a target: .*SINGLEHDR/,
  })
})
