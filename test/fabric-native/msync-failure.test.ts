import t from 'tap'
import { MappedFile } from '../fixture/mapped-file.js'
import { Preloaded } from '../fixture/preloaded.js'

t.test('a storage that refuses to make pages durable', async t => {
  const child = new URL('msync-failure-child.js', import.meta.url)
  const file = new MappedFile(t, 8 * 4096)
  const { status, signal, stdout, stderr } = new Preloaded(t, 'observed-msync.c').run(child, file.path)
  t.same({ status, signal }, { status: 0, signal: null }, stderr)
  const seen: Record<string, unknown> = JSON.parse(stdout)

  t.test('is an error with the cause, not the end of the process', async t => {
    const expected = { code: 'ERR_MSYNC', durability: 'unknown', errno: 28, cause: 'ENOSPC' }
    for (const call of ['persist', 'deepPersist', 'drain', 'copyIn', 'fill', 'move', 'copyFrom']) {
      t.match(seen[call], { first: expected }, call)
    }
  })

  t.test('poisons the memory for good, even if the storage recovers', async t => {
    const expected = { code: 'ERR_POOL_POISONED', durability: 'unknown', cause: 'ERR_MSYNC' }
    for (const call of ['persist', 'deepPersist', 'drain', 'copyIn', 'fill', 'move', 'copyFrom']) {
      t.match(seen[call], { later: expected, failure: 'ERR_POOL_POISONED' }, call)
    }
  })

  t.test('is not mistaken where msync was only interrupted', async t => {
    t.same(seen.interrupted, 'done')
  })

  t.test('does not concern a memory that needs no msync', async t => {
    t.same(seen.dax, 'done')
  })

  t.test('is not touched by a flush, which leaves the work to the drain', async t => {
    t.same(seen.flush, 'done')
  })
})
