import { existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MiB, pageSize } from '../../core/index.js'
import { attributesOf, decodeHeader, Pool, Receipt } from '../../pool/index.js'
import { parsePoolSet } from '../../poolset/index.js'
import { readVector } from './header-vectors.js'
import { scratch, writeSet } from './scratch.js'
import { connectorTo, ScriptedTarget } from './scripted-target.js'

const text = (value: string) => new Uint8Array(Buffer.from(value))

t.test('what was persisted is there when the pool is opened again', async t => {
  const directory = scratch(t)
  const set = writeSet(directory, 'pool.set', `8M ${directory}/a`, `3M ${directory}/b`)
  const pool = await Pool.create(set, { signature: 'COUNTER' })
  t.equal(pool.size, 11 * MiB - 2 * pageSize)
  t.equal(pool.state, 'open')
  pool.view(0, 4096).set(text('hello'), 64)
  const receipt = pool.persistSync(64, 5)
  t.match(receipt, { replicas: [{ name: 'master', kind: 'local', method: pool.replicas[0]?.method }] })
  t.strictSame(await pool.persist(64, 5), new Receipt(receipt.sequence + 1, receipt.replicas), 'the next one')
  await pool.close()
  t.equal(pool.state, 'closed')
  t.ok(
    new Uint8Array(readFileSync(`${directory}/a`))
      .subarray(4096 + 64, 4096 + 69)
      .every((b, i) => b === text('hello')[i]),
  )
  const again = await Pool.open(set, { signature: 'COUNTER', major: 1 })
  const found = new Uint8Array(5)
  again.read(64, found)
  t.strictSame(found, text('hello'))
  await again.close()
  await t.rejects(Pool.open(set, { signature: 'OTHER' }), { code: 'ERR_HEADER_INVALID', facts: { field: 'signature' } })
  await t.rejects(Pool.open(set, { major: 2 }), { code: 'ERR_HEADER_INVALID', facts: { field: 'major' } })
})

t.test('offsets begin behind the header, or at the first byte of a pool without headers', async t => {
  const directory = scratch(t)
  const bare = await Pool.create(writeSet(directory, 'bare.set', 'OPTION NOHDRS', `2M ${directory}/bare`))
  t.equal(bare.size, 2 * MiB)
  t.equal(bare.attributes, undefined)
  bare.memcpyPersistSync(0, text('first'))
  await bare.close()
  t.equal(readFileSync(`${directory}/bare`, 'latin1').slice(0, 5), 'first')
  const one = await Pool.create(
    writeSet(directory, 'one.set', 'OPTION SINGLEHDR', `2M ${directory}/one`, `2M ${directory}/two`),
  )
  t.equal(one.size, 4 * MiB - pageSize)
  one.memcpyPersistSync(2 * MiB - pageSize, text('second'))
  await one.close()
  t.equal(readFileSync(`${directory}/two`, 'latin1').slice(0, 6), 'second')
})

t.test('a pool set can be handed over as a value', async t => {
  const directory = scratch(t)
  const set = parsePoolSet(Buffer.from(`PMEMPOOLSET\n2M ${directory}/a\n`), { file: 'value.set' })
  const pool = await Pool.create(set)
  t.match(Buffer.from(pool.attributes?.signature ?? []).toString(), 'RPMEM')
  await pool[Symbol.asyncDispose]()
})

t.test('local replicas follow the master byte by byte', async t => {
  const directory = scratch(t)
  const file = (name: string) => join(directory, name)
  const set = writeSet(
    directory,
    'x.set',
    `4M ${file('a')}`,
    `4M ${file('b')}`,
    'REPLICA',
    `9M ${file('c')}`,
    'REPLICA',
    `8M ${file('d')}`,
  )
  const pool = await Pool.create(set)
  t.equal(pool.size, 8 * MiB - 2 * pageSize, 'the smallest replica counts')
  const border = 4 * MiB - pageSize
  pool.memcpyPersistSync(border - 50, text('x'.repeat(100)))
  for (let at = 0; at < 100; at++) pool.view(1000, 100)[at] = at
  pool.persistSync(1000, 100)
  pool.memmovePersistSync(1010, 1000, 100)
  await pool.memmovePersist(995, 1000, 100)
  await pool.memcpyPersist(2000, text('later'))
  pool.memsetPersistSync(3000, 7, 10)
  await pool.memsetPersist(3005, 8, 10)
  pool.deepPersistSync(3000, 20)
  await pool.deepPersist(3000, 20)
  pool.memcpyPersistSync(5000, text('unflushed'), { noFlush: true })
  pool.flush(5000, 9)
  pool.memcpyPersistSync(6000, text('undrained'), { noDrain: true })
  await pool.memsetPersist(6100, 1, 5, { noDrain: true })
  pool.drainSync()
  await pool.drain()
  const expected = new Uint8Array(pool.size)
  pool.read(0, expected)
  await pool.close()
  const space = (...names: string[]) => Buffer.concat(names.map(name => readFileSync(file(name)).subarray(pageSize)))
  const master = space('a', 'b').subarray(0, expected.length)
  t.ok(master.equals(expected), 'master')
  t.ok(space('c').subarray(0, expected.length).equals(expected), 'local replica 1')
  t.ok(space('d').subarray(0, expected.length).equals(expected), 'local replica 2')
  t.equal(master.subarray(995, 1000).join(), '0,1,2,3,4', 'the overlapping moves are right')
  t.equal(master.subarray(border - 50, border + 50).toString(), 'x'.repeat(100))
  await (await Pool.open(set)).close()
})

t.test('replicas of different pools, or in another order, are not taken for one pool', async t => {
  const directory = scratch(t)
  const lines = ['a', 'b', 'c'].map(name => `2M ${directory}/${name}`)
  const [a, b, c] = lines as [string, string, string]
  await (await Pool.create(writeSet(directory, 'x.set', a, 'REPLICA', b, 'REPLICA', c))).close()
  const open = (...wrong: string[]) => Pool.open(writeSet(directory, 'wrong.set', ...wrong))
  await t.rejects(open(a, 'REPLICA', c, 'REPLICA', b), { code: 'ERR_HEADER_INVALID', facts: { part: 'master' } })
  await t.rejects(open(a, 'REPLICA', b), { code: 'ERR_HEADER_INVALID', facts: { field: 'prevReplicaUuid' } })
  await t.rejects(open(a), { code: 'ERR_HEADER_INVALID' }, 'one replica by itself')
  const rescued = await Pool.open(writeSet(directory, 'rescue.set', b), { alone: true })
  t.equal(rescued.size, 2 * MiB - pageSize)
  await rescued.close()
  const other = `2M ${directory}/other`
  await (await Pool.create(writeSet(directory, 'other.set', other))).close()
  await t.rejects(open(a, 'REPLICA', b, 'REPLICA', other), {
    code: 'ERR_HEADER_INVALID',
    facts: { part: 'local replica 2' },
  })
})

t.test('a pool that cannot be made leaves nothing', async t => {
  const directory = scratch(t)
  await (await Pool.create(writeSet(directory, 'b.set', `2M ${directory}/b`))).close()
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA', `2M ${directory}/b`)
  await t.rejects(Pool.create(set), { code: 'ERR_PART_EXISTS' })
  t.notOk(existsSync(`${directory}/a`))
  const twice = writeSet(directory, 'twice.set', `2M ${directory}/a`, 'REPLICA', `2M ${directory}/a`)
  await t.rejects(Pool.create(twice), { code: 'ERR_POOLSET_UNSUITABLE' })
  await t.rejects(Pool.open(twice), { code: 'ERR_POOLSET_UNSUITABLE' })
  const remote = writeSet(directory, 'remote.set', `2M ${directory}/a`, 'REPLICA node remote.set')
  await t.rejects(Pool.create(remote), { code: 'ERR_POOLSET_UNSUITABLE' })
  await t.rejects(Pool.create(`${directory}/absent.set`), { code: 'ERR_POOLSET_MISSING' })
  await t.rejects(Pool.create(set, { signature: 'NINE CHARS' }), { code: 'ERR_ARGUMENT' })
  await t.rejects(Pool.create(set, { major: -1 }), { code: 'ERR_ARGUMENT' })
  const directories = writeSet(directory, 'directory.set', `1G ${directory}`)
  await t.rejects(Pool.create(directories), { code: 'ERR_POOLSET_UNSUITABLE', message: /needs the option SINGLEHDR/ })
  const many = writeSet(directory, 'many.set', `1M ${directory}/m`, `1K ${directory}/n`, 'REPLICA node many.set')
  const all = /nothing was given that connects.*\/m would have 1048576 bytes.*\/n would have 1024 bytes/
  await t.rejects(Pool.create(many), { code: 'ERR_POOLSET_UNSUITABLE', message: all }, 'all mistakes at once')
  await t.rejects(Pool.open(many), { code: 'ERR_POOLSET_UNSUITABLE', message: all })
  const signal = AbortSignal.abort(new Error('no longer wanted'))
  await t.rejects(Pool.create(writeSet(directory, 'c.set', `2M ${directory}/c`), { signal }), { code: 'ERR_ABORTED' })
  t.notOk(existsSync(`${directory}/c`))
})

t.test('ranges outside the pool are refused and touch nothing', async t => {
  const directory = scratch(t)
  const pool = await Pool.create(writeSet(directory, 'x.set', `2M ${directory}/a`))
  const { size } = pool
  const wrong: [number, number][] = [
    [-1, 1],
    [-4096, 4096],
    [0, size + 1],
    [size, 1],
    [1.5, 1],
    [0, -1],
    [Number.NaN, 0],
    [Number.MAX_SAFE_INTEGER, 1],
  ]
  for (const [offset, length] of wrong) {
    t.throws(() => pool.persistSync(offset, length), { code: 'ERR_RANGE' })
    await t.rejects(pool.persist(offset, length), { code: 'ERR_RANGE' })
    t.throws(() => pool.flush(offset, length), { code: 'ERR_RANGE' })
    t.throws(() => pool.view(offset, length), { code: 'ERR_RANGE' })
    t.throws(() => pool.memsetPersistSync(offset, 0, length), { code: 'ERR_RANGE' })
    t.throws(() => pool.memmovePersistSync(0, offset, length), { code: 'ERR_RANGE' })
  }
  t.throws(() => pool.memcpyPersistSync(size - 1, new Uint8Array(2)), { code: 'ERR_RANGE' })
  t.throws(() => pool.memsetPersistSync(0, 256, 1), { code: 'ERR_ARGUMENT' })
  pool.persistSync(size, 0)
  pool.persistSync(0, size)
  await pool.close()
})

t.test('a truncated file fails the pool and not the process', async t => {
  const directory = scratch(t)
  const pool = await Pool.create(writeSet(directory, 'x.set', `2M ${directory}/a`))
  const lost = new Promise(resolve => pool.once('replica-lost', resolve))
  truncateSync(`${directory}/a`, 4096)
  pool.view(MiB, 8).fill(1)
  t.throws(() => pool.persistSync(MiB, 8), {
    code: 'ERR_PERSIST',
    durability: 'none',
    causes: [{ replica: 'master', error: { code: 'ERR_POOL_TRUNCATED' } }],
  })
  t.match(await lost, { replica: 'master', kind: 'local' })
  t.equal(pool.state, 'failed')
  await t.rejects(pool.persist(0, 8), { code: 'ERR_PERSIST' })
  await pool.close()
  t.equal(statSync(`${directory}/a`).size, 4096)
})

t.test('a pool over a directory, made elsewhere, opens with the files that it holds', async t => {
  const directory = scratch(t)
  mkdirSync(`${directory}/d`)
  const lines = ['OPTION SINGLEHDR', `3M ${directory}/d/000000.pmem`, `2M ${directory}/d/000001.pmem`]
  const made = await Pool.create(writeSet(directory, 'files.set', ...lines))
  made.memcpyPersistSync(3 * MiB, text('in the second file'))
  await made.close()
  const set = writeSet(directory, 'directory.set', 'OPTION SINGLEHDR', `1G ${directory}/d`)
  const pool = await Pool.open(set)
  t.equal(pool.size, 5 * MiB - pageSize)
  t.strictSame(pool.view(3 * MiB, 18).slice(), text('in the second file'))
  await pool.close()
  await t.rejects(Pool.create(set), { code: 'ERR_PART_EXISTS' })
  mkdirSync(`${directory}/empty`)
  const empty = writeSet(directory, 'empty.set', 'OPTION SINGLEHDR', `1G ${directory}/empty`)
  await t.rejects(Pool.open(empty), { code: 'ERR_PART_MISSING' })
})

/** Files of these sizes in MiB that begin with the pages of a captured pool. */
function captured(directory: string, vector: string, sizes: number[]): string[] {
  const pages = readVector(vector)
  return sizes.map((size, index) => {
    const file = Buffer.alloc(size * MiB)
    file.set(pages[index]?.page ?? [])
    writeFileSync(`${directory}/${index}`, file)
    return `${size}M ${directory}/${index}`
  })
}

t.test('pools that libpmemobj made open with all their replicas', async t => {
  const signature = 'PMEMOBJ'
  const directory = scratch(t)
  const [a, b, c] = captured(directory, '11-obj-two-parts-local-replica.txt', [8, 6, 16]) as [string, string, string]
  const mirrored = await Pool.open(writeSet(directory, 'local.set', a, b, 'REPLICA', c), { signature, major: 6 })
  t.equal(mirrored.size, 14 * MiB - 2 * pageSize)
  await mirrored.close()
  const [local] = captured(directory, '13-obj-remote-replica.txt', [10]) as [string]
  const target = new ScriptedTarget('node')
  target.bytes = new Uint8Array(10 * MiB)
  target.attributes = attributesOf(decodeHeader(readVector('13-obj-remote-replica.txt')[1]?.page ?? new Uint8Array()))
  const set = writeSet(directory, 'remote.set', local, 'REPLICA node x.set')
  const remote = await Pool.open(set, { signature, connectRemote: connectorTo(target) })
  remote.persistSync(0, 8)
  t.equal(target.calls.at(-1), `persist ${pageSize} 8`)
  await remote.close()
  await t.rejects(Pool.open(writeSet(directory, 'half.set', local)), { code: 'ERR_HEADER_INVALID' })
})
