import {
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  encodeReplicaRecord,
  incompatSingleHeader,
  type Log,
  MiB,
  type ReplicaRecord,
  silentLog,
  zeroAttributes,
} from '../../core/index.js'
import { createReplicaParts } from '../../pool/index.js'
import { loadPoolSet, localReplicas } from '../../poolset/index.js'
import { FilePoolStore } from '../../target/pool-store.js'
import { removePool } from '../../target/removal.js'
import { FileStorage } from './file-storage.js'

const attributes = { ...zeroAttributes(), signature: Buffer.from('REMOVAL!'), major: 1 }

const current = {
  id: '0'.repeat(32),
  number: 1,
  since: '1970-01-01T00:00:00.000Z',
  why: 'created',
  writer: 'me',
} as const
const record: ReplicaRecord = {
  lineage: { pool: '1'.repeat(32), current, ancestors: [] },
  closed: true,
  syncing: false,
  touched: false,
}

/** A poolset-dir with pool sets and their pools; beside the parts lies a file that no set names. */
async function place(t: Test) {
  const dir = t.testdir({ pools: {}, parts: { unnamed: 'mine' } })
  const pools = join(dir, 'pools')
  const parts = join(dir, 'parts')
  const write = (name: string, ...lines: string[]) =>
    writeFileSync(join(pools, name), `PMEMPOOLSET\n${lines.join('\n').replaceAll('PARTS', parts)}\n`)
  write('ab.set', '2M PARTS/a', '2M PARTS/b')
  write('abc.set', '2M PARTS/a', '2M PARTS/b', '2M PARTS/c')
  write('rep.set', '2M PARTS/a', '2M PARTS/b', 'REPLICA', '2M PARTS/c')
  write('remote.set', '2M PARTS/a', '2M PARTS/b', 'REPLICA node other.set', 'REPLICA', '2M PARTS/c')
  write('dir.set', 'OPTION SINGLEHDR', '8M PARTS')
  write('c.set', '2M PARTS/c')
  write('nohdrs.set', 'OPTION NOHDRS', '2M PARTS/n', '2M PARTS/o')
  write('single.set', 'OPTION SINGLEHDR', '2M PARTS/s', '2M PARTS/t')
  writeFileSync(join(pools, 'bad.set'), 'PMEMPOOLSET\n2M relative\n')
  writeFileSync(join(dir, 'outside.set'), `PMEMPOOLSET\n2M ${parts}/c\n`)
  const storage = new FileStorage()
  for (const name of ['ab.set', 'c.set', 'nohdrs.set', 'single.set']) {
    const set = await loadPoolSet(join(pools, name))
    const { options } = set
    const [replica] = localReplicas(set)
    const places = replica?.parts.map(({ path, size }) => ({ path, size: Number(size) })) ?? []
    const incompat = options.singleHeader ? incompatSingleHeader : 0
    const given = options.noHeaders ? undefined : { ...attributes, incompat }
    await (await createReplicaParts({ parts: places, options, attributes: given, storage })).close()
  }
  const remove = async (poolSet: string, options: { force?: boolean; removePoolSet?: boolean; log?: Log } = {}) => {
    const request = {
      poolSetDir: pools,
      poolSet,
      force: false,
      removePoolSet: false,
      storage,
      log: silentLog,
      ...options,
    }
    return (await removePool(request)).status
  }
  return { dir, pools, parts, storage, remove, left: () => readdirSync(parts).join(' ') }
}

const all = 'a b c n o s t unnamed'

t.test('the parts that the set names are removed, and nothing else', async t => {
  const { pools, remove, left } = await place(t)
  t.equal(await remove('ab.set'), 0)
  t.equal(left(), 'c n o s t unnamed')
  t.ok(existsSync(join(pools, 'ab.set')))
  t.equal(await remove('nohdrs.set'), 0)
  t.equal(await remove('single.set'), 0)
  t.equal(left(), 'c unnamed')
})

t.test('the pool set file goes with --pool-set', async t => {
  const { pools, remove, left } = await place(t)
  t.equal(await remove('ab.set', { removePoolSet: true }), 0)
  t.equal(left(), 'c n o s t unnamed')
  t.notOk(existsSync(join(pools, 'ab.set')))
})

const damages: [name: string, status: number, damage: (part: string) => void, left: string][] = [
  ['a missing part', 2, unlinkSync, 'c n o s t unnamed'],
  ['a part of another size', 22, part => truncateSync(part, 3 * MiB), 'c n o s t unnamed'],
  ['a part without a header', 22, part => writeFileSync(part, Buffer.alloc(2 * MiB)), 'c n o s t unnamed'],
  ['a part that is a directory, which makes the set malformed,', 22, directory, all],
]

function directory(part: string): void {
  unlinkSync(part)
  mkdirSync(part)
}

for (const [name, status, damage, remaining] of damages) {
  t.test(`${name} is refused with ${status} and everything stays; --force removes what is there`, async t => {
    const { parts, pools, remove, left } = await place(t)
    damage(join(parts, 'b'))
    const before = left()
    t.equal(await remove('ab.set', { removePoolSet: true }), status)
    t.equal(left(), before)
    t.ok(existsSync(join(pools, 'ab.set')), 'who loses the set cannot mend the pool')
    t.equal(await remove('ab.set', { force: true }), 0)
    t.equal(left(), remaining)
  })
}

t.test('parts of two pools are no pool', async t => {
  const { remove, left } = await place(t)
  t.equal(await remove('abc.set'), 22)
  t.equal(left(), all)
})

t.test('a locked part is EAGAIN and everything stays; --force takes all but that part', async t => {
  const { parts, pools, storage, remove, left } = await place(t)
  storage.busy.add(statSync(join(parts, 'b')).ino)
  t.equal(await remove('ab.set', { removePoolSet: true }), 11)
  t.equal(left(), all)
  t.equal(await remove('ab.set', { force: true, removePoolSet: true }), 0)
  t.equal(left(), 'b c n o s t unnamed')
  t.notOk(existsSync(join(pools, 'ab.set')))
})

t.test('local replicas are removed too', async t => {
  const { remove, left } = await place(t)
  t.equal(await remove('rep.set'), 0)
  t.equal(left(), 'n o s t unnamed')
})

t.test('of a directory the files of the pool are removed, and nothing else', async t => {
  const { parts, pools, storage, remove, left } = await place(t)
  t.equal(await remove('dir.set'), 2, 'no pool was created there')
  t.equal(left(), all)
  const store = new FilePoolStore(pools, storage)
  const made = await store.create('dir.set', 4 * MiB, { ...attributes, incompat: 3 })
  await made.close()
  t.equal(left(), `000000.pmem ${all}`)
  storage.busy.add(statSync(join(parts, '000000.pmem')).ino)
  t.equal(await remove('dir.set'), 11)
  storage.busy.clear()
  t.equal(await remove('dir.set', { removePoolSet: true }), 0)
  t.equal(left(), all)
  t.notOk(existsSync(join(pools, 'dir.set')))
})

t.test('a set with a remote replica is refused before anything is touched', async t => {
  const { remove, left } = await place(t)
  t.equal(await remove('remote.set'), 22)
  t.equal(await remove('remote.set', { force: true }), 0)
  t.equal(left(), all)
})

t.test('a part that is a link loses the link, and what it leads to stays', async t => {
  for (const force of [false, true]) {
    const { dir, parts, pools, remove, left } = await place(t)
    symlinkSync(join(parts, 'c'), join(dir, 'link'))
    writeFileSync(join(pools, 'link.set'), `PMEMPOOLSET\n2M ${dir}/link\n`)
    t.equal(await remove('link.set', { force }), 0)
    t.equal(left(), all)
    t.notOk(existsSync(join(dir, 'link')))
  }
})

t.test('a file that is no part of a pool stays although a set names it, unless forced', async t => {
  const { dir, pools, parts, remove } = await place(t)
  writeFileSync(join(pools, 'wrong.set'), `PMEMPOOLSET\n2M ${parts}/c/../unnamed\n2M ${dir}/parts/unnamed\n`)
  t.not(await remove('wrong.set'), 0)
  writeFileSync(join(pools, 'file.set'), `PMEMPOOLSET\n2M ${parts}/unnamed\n`)
  t.equal(await remove('file.set'), 22)
  t.ok(existsSync(join(parts, 'unnamed')))
})

t.test('notes of ours beside the parts go with them, files that only bear such a name stay', async t => {
  const { parts, remove, left } = await place(t)
  writeFileSync(join(parts, 'a.record'), encodeReplicaRecord(record))
  writeFileSync(join(parts, 'a.missing-0123abcd'), 'RPMEMDRT and more')
  writeFileSync(join(parts, 'a.missing-99999999'), 'a letter of mine')
  writeFileSync(join(parts, 'c.record'), 'a song')
  symlinkSync(join(parts, 'a.record'), join(parts, 'a.missing-0000ffff'))
  for (const name of ['ab.set', 'c.set']) t.equal(await remove(name), 0)
  t.equal(left(), 'a.missing-0000ffff a.missing-99999999 c.record n o s t unnamed')
})

t.test('a set in a folder that leads out of the poolset-dir is refused, also with --force', async t => {
  const { dir, pools, remove, left } = await place(t)
  symlinkSync(dir, join(pools, 'way-out'))
  for (const force of [false, true]) t.equal(await remove('way-out/outside.set', { force, removePoolSet: true }), 9)
  t.equal(left(), all)
  t.ok(existsSync(join(dir, 'outside.set')))
})

t.test('each failure has the exit status of its errno', async t => {
  const { dir, pools, remove, left } = await place(t)
  symlinkSync(join(dir, 'outside.set'), join(pools, 'link.set'))
  mkdirSync(join(pools, 'sub'))
  const rows: [string, number, number][] = [
    ['none.set', 2, 0],
    ['bad.set', 22, 0],
    ['sub', 13, 0],
    [join(pools, 'ab.set'), 9, 9],
    ['../outside.set', 9, 9],
    ['link.set', 9, 9],
    ['', 22, 0],
  ]
  for (const [name, code, forced] of rows) {
    t.equal(await remove(name, { removePoolSet: true }), code, `'${name}'`)
    t.equal(await remove(name, { force: true }), forced, `'${name}' by force`)
  }
  t.equal(left(), all)
  t.ok(existsSync(join(pools, 'bad.set')), 'what cannot be read is not unlinked')
})

t.test('force and --pool-set also unlink a set that cannot be read', async t => {
  const { pools, remove } = await place(t)
  t.equal(await remove('bad.set', { force: true, removePoolSet: true }), 0)
  t.notOk(existsSync(join(pools, 'bad.set')))
})

t.test('a set reached through a link loses the link, the parts and no more', async t => {
  const { pools, remove, left } = await place(t)
  symlinkSync('ab.set', join(pools, 'alias.set'))
  t.equal(await remove('alias.set', { removePoolSet: true }), 0)
  t.equal(left(), 'c n o s t unnamed')
  t.ok(existsSync(join(pools, 'ab.set')))
  t.notOk(existsSync(join(pools, 'alias.set')))
})

t.test('the reason of a failure is logged', async t => {
  const { remove } = await place(t)
  const lines: string[] = []
  await remove('none.set', { log: { write: (_, message) => void lines.push(message) } })
  t.match(lines, [/none\.set/])
})
