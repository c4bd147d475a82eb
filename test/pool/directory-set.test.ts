import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { RpmemError } from '../../core/index.js'
import {
  nativeStorage,
  openReplicaParts,
  Pool,
  type ReplicaParts,
  removeReplicaParts,
  type Storage,
} from '../../pool/index.js'
import { PoolGrowth } from '../../pool/pool-growth.js'
import { existingPlacesOf, placesOf } from '../../pool/pool-places.js'
import { loadPoolSet, localReplicas } from '../../poolset/index.js'
import { pattern } from '../fabric-native/memory-compliance.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { scratch, writeSet } from './scratch.js'

const MiB = 1024 * 1024
const page = 4096

interface Bed {
  readonly at: string
  readonly set: string
  /** Files in a directory of the set, by name. */
  files(name: string): string[]
}

/** A pool set over these directories, `|` between replicas. */
function directories(t: Test, lines: string, options = 'OPTION SINGLEHDR'): Bed {
  const at = scratch(t)
  const written = lines.split('|').flatMap((replica, index) => {
    const parts = replica.trim().split(/, */)
    for (const part of parts) mkdirSync(join(at, part.split(' ')[1] ?? ''))
    return [...(index > 0 ? ['REPLICA'] : []), ...parts.map(part => part.replace(' ', ` ${at}/`))]
  })
  return { at, set: writeSet(at, 'pool.set', options, ...written), files: name => readdirSync(join(at, name)).sort() }
}

t.test('a pool over empty directories begins with one file and grows file by file, directories in turn', async t => {
  const bed = directories(t, '64M one, 32M two')
  const pool = await Pool.create(bed.set, { signature: 'GROWING' })
  t.same([pool.size, pool.reservation], [8 * MiB - page, 96 * MiB - page])
  t.same([bed.files('one'), bed.files('two')], [['000000.pmem'], []])
  const early = pool.view(0, 64)
  early.set(pattern(64))
  t.equal(await pool.grow(16 * MiB), 24 * MiB - page)
  t.equal(await pool.grow(2 * MiB + 1), 26 * MiB)
  t.same([bed.files('one'), bed.files('two')], [['000000.pmem', '000002.pmem'], ['000001.pmem']])
  t.equal(statSync(join(bed.at, 'two/000001.pmem')).size, 16 * MiB)
  t.equal(statSync(join(bed.at, 'one/000002.pmem')).mode & 0o777, 0o600)
  early[0] = 99
  const across = 8 * MiB - page - 10
  pool.memcpyPersistSync(across, pattern(4 * MiB))
  t.equal(pool.view(0, 1)[0], 99, 'a window from before is the same memory')
  await pool.close()
  t.equal(early.length, 0)

  const again = await Pool.open(bed.set, { signature: 'GROWING' })
  t.equal(again.size, 26 * MiB)
  t.equal(again.view(0, 1)[0], 99)
  sameBytes(t, again.view(across, 4 * MiB), pattern(4 * MiB), 'what lies across files')
  t.equal(await again.grow(), again.reservation, 'the last step takes what is left')
  await t.rejects(again.grow(), { code: 'ERR_RESERVATION', errno: 12 })
  t.equal(again.view(again.size - 1, 1)[0], 0)
  await again.close()
})

t.test('new space is zeros on every local replica, and what is persisted there is on all of them', async t => {
  const bed = directories(t, '64M one, 64M two | 128M copy')
  const pool = await Pool.create(bed.set)
  await pool.grow(4 * MiB)
  pool.memcpyPersistSync(8 * MiB, pattern(MiB))
  await pool.persist(8 * MiB, MiB)
  pool.memsetPersistSync(pool.size - 100, 7, 100)
  const [copy] = await pool.verify()
  t.match(copy, { comparedBytes: pool.size, differing: [] }, 'what has grown is compared as well')
  await pool.close()
  t.same(bed.files('copy'), ['000000.pmem', '000001.pmem'])
  const [left, right] = ['two', 'copy'].map(name => new Uint8Array(readFileSync(join(bed.at, name, '000001.pmem'))))
  sameBytes(t, left ?? new Uint8Array(), right ?? new Uint8Array(), 'the replicas')
  sameBytes(t, right?.subarray(page, page + MiB) ?? new Uint8Array(), pattern(MiB), 'the copy')
  await (await Pool.open(bed.set)).close()
})

t.test('growths that are asked for at once happen one after the other, and close waits for them', async t => {
  const bed = directories(t, '64M one')
  const pool = await Pool.create(bed.set)
  const sizes = Promise.all([pool.grow(4 * MiB), pool.grow(2 * MiB)])
  const closed = pool.close()
  await t.rejects(pool.grow(2 * MiB), { code: 'ERR_CLOSED' })
  await closed
  t.equal((await sizes).length, 2)
  const again = await Pool.open(bed.set)
  t.equal(again.size, 14 * MiB - page)
  await again.close()
})

t.test('what does not grow says why', async t => {
  const at = scratch(t)
  const plain = await Pool.create(writeSet(at, 'plain.set', `8M ${at}/part`))
  t.equal(plain.reservation, plain.size)
  await t.rejects(plain.grow(), { code: 'ERR_POOLSET_UNSUITABLE' })
  await plain.close()
  const pool = await Pool.create(directories(t, '64M one').set)
  for (const wrong of [0, -1, 1.5, 2 * MiB - 1, Number.NaN]) {
    await t.rejects(pool.grow(wrong), { code: 'ERR_ARGUMENT' }, String(wrong))
  }
  const before = Pool.attach(pool.share())
  await t.rejects(before.grow(), { code: 'ERR_THREAD' })
  await pool.grow(2 * MiB)
  const after = Pool.attach(pool.share())
  t.same([before.size, after.size], [8 * MiB - page, 10 * MiB - page])
  after.memcpyPersistSync(after.size - 64, pattern(64))
  sameBytes(t, pool.view(pool.size - 64, 64), pattern(64), 'the other thread wrote')
  t.throws(() => before.view(before.size, 1), { code: 'ERR_RANGE' })
  for (const each of [before, after, pool]) await each.close()
})

t.test('rules of directories are told by name', async t => {
  await t.rejects(Pool.create(directories(t, '64M one', '').set), {
    code: 'ERR_POOLSET_UNSUITABLE',
    message: /SINGLEHDR/,
  })
  const empty = directories(t, '64M one')
  await t.rejects(Pool.open(empty.set), { code: 'ERR_PART_MISSING', message: /holds no part/ })
  const small = directories(t, '3M one')
  const pool = await Pool.create(small.set)
  t.same([pool.size, pool.reservation], [3 * MiB - page, 3 * MiB - page])
  await pool.close()
  writeFileSync(join(small.at, 'one/notes.pmem'), 'a file of mine')
  await t.rejects(Pool.open(small.set), { code: 'ERR_POOLSET_UNSUITABLE', message: /notes\.pmem/ })
})

t.test('files that were made before are adopted if they begin with zeros', async t => {
  const bed = directories(t, '64M one')
  writeFileSync(join(bed.at, 'one/000000.pmem'), '')
  truncateSync(join(bed.at, 'one/000000.pmem'), 4 * MiB)
  const pool = await Pool.create(bed.set)
  t.equal(pool.size, 4 * MiB - page)
  await pool.close()
  await t.rejects(Pool.create(bed.set), { code: 'ERR_PART_EXISTS' })
})

/** Storage that fails at one of its calls. */
const failing = (step: 'allocate' | 'extend', count: number): Storage => {
  let left = count
  return {
    ...nativeStorage,
    allocate: (fd, length) =>
      step === 'allocate' && left-- === 0
        ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
        : nativeStorage.allocate(fd, length),
    extend: (memory, pieces) => {
      if (step === 'extend' && left-- === 0) throw new Error('no room')
      nativeStorage.extend(memory, pieces)
    },
  }
}

t.test('a growth that fails leaves the pool as it was', async t => {
  for (const [step, count, message] of [
    ['allocate', 2, /make|space/],
    ['allocate', 3, /make|space/],
    ['extend', 0, /no room/],
    ['extend', 1, /no room/],
  ] as const) {
    const bed = directories(t, '64M one | 64M copy')
    const pool = await Pool.create(bed.set, { storage: failing(step, count) })
    await t.rejects(pool.grow(2 * MiB), { message }, `${step} ${count}`)
    t.equal(pool.size, 8 * MiB - page)
    t.same([bed.files('one'), bed.files('copy')], [['000000.pmem'], ['000000.pmem']], 'no file is left')
    pool.memsetPersistSync(0, 1, pool.size)
    // What one replica has mapped and the other has not cannot be taken back.
    if (step === 'extend' && count === 1) await t.rejects(pool.grow(2 * MiB), { message })
    else t.equal(await pool.grow(2 * MiB), 10 * MiB - page)
    await pool.close()
    await (await Pool.open(bed.set)).close()
  }
})

t.test('a growth whose shutdown state cannot be written is none', async t => {
  const bed = directories(t, '64M one | 64M copy')
  await (await Pool.create(bed.set)).close()
  const set = await loadPoolSet(bed.set)
  const replicas: ReplicaParts[] = []
  for (const replica of localReplicas(set))
    replicas.push(await openReplicaParts({ parts: placesOf(replica), options: set.options, reservation: 64 * MiB }))
  const [one, copy] = replicas
  if (!one || !copy) throw new Error('the set has two replicas')
  const noted = { one: [] as number[], copy: 0 }
  one.noteDevices = async (coming = []) => void noted.one.push(coming.length)
  copy.noteDevices = async () => {
    if (noted.copy++ === 0) throw new RpmemError('ERR_PART_IO', 'the header cannot be written')
  }
  const growth = new PoolGrowth(set, replicas, 64 * MiB)
  await t.rejects(growth.grow(2 * MiB), { code: 'ERR_PART_IO', message: 'the header cannot be written' })
  t.equal(growth.size, 8 * MiB, 'it has not grown')
  t.same([bed.files('one'), bed.files('copy')], [['000000.pmem'], ['000000.pmem']], 'no file is left')
  t.same(noted.one, [1, 0], 'what was noted is taken back')
  t.equal(await growth.grow(2 * MiB), 2 * MiB, 'and it can grow later')
  for (const replica of replicas) await replica.close()
})

t.test('a growth that cannot be taken back says why it failed', async t => {
  const bed = directories(t, '64M one | 64M copy')
  let calls = 0
  const storage: Storage = {
    ...nativeStorage,
    allocate(fd, length) {
      if (calls++ < 3) return nativeStorage.allocate(fd, length)
      unlinkSync(join(bed.at, 'one/000001.pmem'))
      return Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
    },
  }
  const pool = await Pool.create(bed.set, { storage })
  await t.rejects(pool.grow(2 * MiB), { code: 'ERR_DISK_FULL', facts: { left: /./ } })
  t.same([bed.files('one'), bed.files('copy')], [['000000.pmem'], ['000000.pmem']])
  await pool.close()
})

t.test('a growth that a crash cut short is finished at the next open, a part that was lost is not', async t => {
  const bed = directories(t, '64M one | 64M copy')
  const pool = await Pool.create(bed.set)
  await pool.grow(2 * MiB)
  await pool.close()
  unlinkSync(join(bed.at, 'copy/000001.pmem'))
  writeFileSync(join(bed.at, 'copy/000001.pmem.new'), 'what the crash left')
  const again = await Pool.open(bed.set)
  t.equal(again.size, 10 * MiB - page)
  t.same(bed.files('copy'), ['000000.pmem', '000001.pmem'])
  again.memsetPersistSync(again.size - 1, 1, 1)
  await again.close()
  t.equal(readFileSync(join(bed.at, 'copy/000001.pmem')).at(-1), 1)
  unlinkSync(join(bed.at, 'copy/000001.pmem'))
  await t.rejects(Pool.open(bed.set), { code: 'ERR_PART_MISSING' })
  t.notOk(existsSync(join(bed.at, 'copy/000001.pmem')))
})

t.test('a creation that fails leaves the directories empty', async t => {
  const bed = directories(t, '64M one | 64M copy')
  await t.rejects(Pool.create(bed.set, { storage: failing('allocate', 1) }), { code: 'ERR_DISK_FULL' })
  t.same([bed.files('one'), bed.files('copy')], [[], []])
})

t.test('removal takes the files of the pool and leaves the directories and what else is in them', async t => {
  const bed = directories(t, '64M one, 64M two')
  const pool = await Pool.create(bed.set)
  await pool.grow(2 * MiB)
  writeFileSync(join(bed.at, 'one/README'), 'mine')
  writeFileSync(join(bed.at, 'two/000003.pmem.new'), 'what a crash left')
  const set = await loadPoolSet(bed.set)
  const request = { replicas: localReplicas(set).map(existingPlacesOf), options: set.options }
  await t.rejects(removeReplicaParts(request), { code: 'ERR_POOL_BUSY' })
  await pool.close()
  await removeReplicaParts(request)
  t.same([bed.files('one'), bed.files('two')], [['README'], []])
})

const pmempool = (...args: string[]): string => execFileSync('pmempool', args, { encoding: 'utf8', timeout: 20_000 })

t.test("PMDK's pmempool reads the pools over directories that rpmem makes, before and after they grow", async t => {
  const bed = directories(t, '64M one, 64M two')
  const pool = await Pool.create(bed.set, { signature: 'GROWING' })
  await pool.grow(16 * MiB)
  await pool.close()
  const text = pmempool('info', '-f', 'obj', bed.set)
  t.match(text, /Checksum +: .*\[OK\]/)
  t.match(text, /SINGLEHDR/)
})

t.test("a pool over directories that PMDK's pmempool made opens, grows, and is still good to PMDK", async t => {
  const bed = directories(t, '128M one, 128M two | 256M copy')
  pmempool('create', 'obj', bed.set)
  const pool = await Pool.open(bed.set, { signature: 'PMEMOBJ' })
  t.equal(pool.size, 8 * MiB - page)
  await pool.grow(32 * MiB)
  await pool.close()
  const text = pmempool('info', bed.set)
  for (const file of ['one/000000.pmem', 'two/000001.pmem', 'copy/000001.pmem']) t.ok(text.includes(file), file)
  t.match(pmempool('check', '-v', bed.set), /: consistent/)
  await (await Pool.open(bed.set)).close()
})
