import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Log, silentLog } from '../../core/index.js'
import { removePool } from '../../target/removal.js'
import { FileStorage } from './file-storage.js'

/** A poolset-dir with pool sets whose parts, and one file that no set names, lie beside it. */
function place(t: Test) {
  const dir = t.testdir({ pools: {}, parts: { a: 'A', b: 'B', c: 'C', unnamed: 'mine' } })
  const pools = join(dir, 'pools')
  const parts = join(dir, 'parts')
  const set = (name: string, ...lines: string[]) =>
    writeFileSync(join(pools, name), `PMEMPOOLSET\n${lines.join('\n').replaceAll('PARTS', parts)}\n`)
  set('ab.set', '8M PARTS/a', '8M PARTS/b')
  set('gap.set', '8M PARTS/a', '8M PARTS/gone', '8M PARTS/b')
  set('rep.set', '8M PARTS/a', 'REPLICA', '8M PARTS/b')
  set('remote.set', '8M PARTS/a', 'REPLICA node other.set', 'REPLICA', '8M PARTS/b')
  set('dir.set', 'OPTION SINGLEHDR', '8M PARTS')
  writeFileSync(join(pools, 'bad.set'), 'PMEMPOOLSET\n8M relative\n')
  writeFileSync(join(dir, 'outside.set'), `PMEMPOOLSET\n8M ${parts}/c\n`)
  const storage = new FileStorage()
  const remove = (poolSet: string, options: { force?: boolean; removePoolSet?: boolean; log?: Log } = {}) =>
    removePool({ poolSetDir: pools, poolSet, force: false, removePoolSet: false, storage, log: silentLog, ...options })
  return { dir, pools, parts, storage, remove, left: () => readdirSync(parts).sort() }
}

t.test('the parts that the set names are removed, and nothing else', async t => {
  const { pools, remove, left } = place(t)
  t.equal(await remove('ab.set'), 0)
  t.strictSame(left(), ['c', 'unnamed'])
  t.ok(existsSync(join(pools, 'ab.set')))
})

t.test('the pool set file goes with --pool-set', async t => {
  const { pools, remove, left } = place(t)
  t.equal(await remove('ab.set', { removePoolSet: true }), 0)
  t.strictSame(left(), ['c', 'unnamed'])
  t.notOk(existsSync(join(pools, 'ab.set')))
})

t.test('a missing part is ENOENT, but the others are removed, and the set file if asked for', async t => {
  const { pools, remove, left } = place(t)
  t.equal(await remove('gap.set', { removePoolSet: true }), 2)
  t.strictSame(left(), ['c', 'unnamed'])
  t.notOk(existsSync(join(pools, 'gap.set')))
})

t.test('a locked part is EAGAIN and stays, also with --force', async t => {
  const { parts, storage, remove, left } = place(t)
  storage.busy.add(statSync(join(parts, 'a')).ino)
  t.equal(await remove('ab.set'), 11)
  t.strictSame(left(), ['a', 'c', 'unnamed'])
  t.equal(await remove('ab.set', { force: true }), 0)
  t.strictSame(left(), ['a', 'c', 'unnamed'])
})

t.test('local replicas are removed too', async t => {
  const { remove, left } = place(t)
  t.equal(await remove('rep.set'), 0)
  t.strictSame(left(), ['c', 'unnamed'])
})

t.test('sets with remote replicas or directories are refused before anything is touched', async t => {
  for (const name of ['remote.set', 'dir.set']) {
    const { remove, left } = place(t)
    t.equal(await remove(name), 22, name)
    t.equal(await remove(name, { force: true }), 0, `${name} by force`)
    t.strictSame(left(), ['a', 'b', 'c', 'unnamed'], name)
  }
})

t.test('each failure has the exit status of its errno', async t => {
  const { dir, pools, remove, left } = place(t)
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
  t.strictSame(left(), ['a', 'b', 'c', 'unnamed'])
  t.ok(existsSync(join(pools, 'bad.set')), 'what cannot be read is not unlinked')
})

t.test('force and --pool-set also unlink a set that cannot be read', async t => {
  const { pools, remove } = place(t)
  t.equal(await remove('bad.set', { force: true, removePoolSet: true }), 0)
  t.notOk(existsSync(join(pools, 'bad.set')))
})

t.test('a set reached through a link loses the link, the parts and no more', async t => {
  const { pools, remove, left } = place(t)
  symlinkSync('ab.set', join(pools, 'alias.set'))
  t.equal(await remove('alias.set', { removePoolSet: true }), 0)
  t.strictSame(left(), ['c', 'unnamed'])
  t.ok(existsSync(join(pools, 'ab.set')))
  t.notOk(existsSync(join(pools, 'alias.set')))
})

t.test('the reason of a failure is logged', async t => {
  const { remove } = place(t)
  const lines: string[] = []
  await remove('none.set', { log: { write: (_, message) => void lines.push(message) } })
  t.match(lines, [/none\.set/])
})
