import t from 'tap'
import { LatePoolStore } from '../../target/late-pool-store.js'
import type { PoolStore, StoredPool } from '../../target/target-node.js'

const pool = {} as StoredPool

t.test('the store is loaded once, after the greeting, and asked as it was asked', async t => {
  const asked: unknown[][] = []
  const store: PoolStore = {
    create: async (...request) => {
      asked.push(request)
      return pool
    },
    open: async (...request) => {
      asked.push(request)
      return pool
    },
  }
  let loads = 0
  let greet = () => {}
  const greeted = new Promise<void>(resolve => {
    greet = resolve
  })
  const late = new LatePoolStore(greeted, async () => {
    loads++
    return store
  })
  const answers = Promise.all([late.create('a.set', 1, undefined), late.open('b.set', 2)])
  await new Promise(setImmediate)
  t.equal(loads, 0, 'not before the greeting')
  greet()
  t.strictSame(await answers, [pool, pool])
  t.equal(loads, 1)
  t.strictSame(asked, [
    ['a.set', 1, undefined],
    ['b.set', 2],
  ])
})

t.test('a store that cannot be loaded fails whoever asks, and nobody else', async t => {
  const late = new LatePoolStore(Promise.resolve(), async () => {
    throw new Error('no such module')
  })
  await new Promise(setImmediate)
  await t.rejects(late.open('a.set', 1), { message: 'no such module' })
})
