import { realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { resolvePoolSet } from '../../target/pool-set-path.js'

const tree = (t: Test) => {
  const dir = realpathSync(
    t.testdir({
      secret: 'outside',
      elsewhere: { 'a.set': 'outside' },
      pools: { 'a.set': 'a', sub: { 'b.set': 'b', deep: {} } },
      poolsAndMore: { 'c.set': 'outside' },
    }),
  )
  return { dir, pools: join(dir, 'pools') }
}

t.test('a relative name is found below the poolset-dir', async t => {
  const { pools } = tree(t)
  t.equal(await resolvePoolSet(pools, 'a.set'), join(pools, 'a.set'))
  t.equal(await resolvePoolSet(pools, 'sub/b.set'), join(pools, 'sub/b.set'))
  t.equal(await resolvePoolSet(`${pools}/sub/..`, './/sub/./b.set'), join(pools, 'sub/b.set'))
})

t.test('links inside the directory are followed, and the directory itself may be a link', async t => {
  const { dir, pools } = tree(t)
  symlinkSync('../a.set', join(pools, 'sub/link.set'))
  symlinkSync('sub', join(pools, 'alias'))
  symlinkSync('pools', join(dir, 'current'))
  t.equal(await resolvePoolSet(pools, 'sub/link.set'), join(pools, 'a.set'))
  t.equal(await resolvePoolSet(pools, 'alias/b.set'), join(pools, 'sub/b.set'))
  t.equal(await resolvePoolSet(join(dir, 'current'), 'a.set'), join(pools, 'a.set'))
})

t.test('nothing outside the directory can be named', async t => {
  const { dir, pools } = tree(t)
  symlinkSync('../secret', join(pools, 'file-link'))
  symlinkSync('../elsewhere', join(pools, 'dir-link'))
  symlinkSync('file-link', join(pools, 'link-to-link'))
  symlinkSync(dir, join(pools, 'sub/up'))
  const names = [
    '../secret',
    '..',
    'sub/../../secret',
    'sub/../a.set',
    '../poolsAndMore/c.set',
    join(pools, 'a.set'),
    '/etc/passwd',
    'file-link',
    'dir-link/a.set',
    'link-to-link',
    'sub/up/secret',
    '.',
  ]
  for (const name of names) await t.rejects(resolvePoolSet(pools, name), { code: 'ERR_POOLSET_OUTSIDE' }, name)
})

t.test('names that lead to no file have their own errors', async t => {
  const { pools } = tree(t)
  symlinkSync('loop', join(pools, 'loop'))
  symlinkSync('/nowhere/at/all', join(pools, 'dangling'))
  const rows: [string, string][] = [
    ['none.set', 'ERR_POOLSET_MISSING'],
    ['a.set/below', 'ERR_POOLSET_MISSING'],
    ['dangling', 'ERR_POOLSET_MISSING'],
    ['loop', 'ERR_POOLSET_UNREADABLE'],
    ['sub', 'ERR_POOLSET_UNREADABLE'],
    ['', 'ERR_ARGUMENT'],
    ['a\0.set', 'ERR_ARGUMENT'],
    ['x'.repeat(5000), 'ERR_ARGUMENT'],
  ]
  for (const [name, code] of rows) await t.rejects(resolvePoolSet(pools, name), { code }, name.slice(0, 20))
  await t.rejects(resolvePoolSet(join(pools, 'gone'), 'a.set'), { code: 'ERR_POOLSET_MISSING' })
})
