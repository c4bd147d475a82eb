import { readdirSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type ErrorCode, RpmemError } from '../../core/index.js'
import { Pool, type RemoteConnector, type RemoteRequest } from '../../pool/index.js'
import { scratch, writeSet } from './scratch.js'
import { connectorTo, ScriptedTarget } from './scripted-target.js'

const bytes = new Uint8Array(8)
const usable = new Set(['open', 'degraded'])

/** Every method of a pool: what it does where nothing stands against it, and whether a lost replica does. */
const methods: [name: string, call: (pool: Pool) => unknown, needsReplicas: boolean][] = [
  ['view', pool => pool.view(0, 8), false],
  ['read', pool => pool.read(0, bytes), false],
  ['persist', pool => pool.persist(0, 8), true],
  ['persistSync', pool => pool.persistSync(0, 8), true],
  ['flush', pool => pool.flush(0, 8), false],
  ['drain', pool => pool.drain(), true],
  ['drainSync', pool => pool.drainSync(), true],
  ['deepPersist', pool => pool.deepPersist(0, 8), true],
  ['deepPersistSync', pool => pool.deepPersistSync(0, 8), true],
  ['memcpyPersist', pool => pool.memcpyPersist(0, bytes), true],
  ['memcpyPersistSync', pool => pool.memcpyPersistSync(0, bytes), true],
  ['memcpyPersistSync noFlush', pool => pool.memcpyPersistSync(0, bytes, { noFlush: true }), false],
  ['memcpyPersistSync noDrain', pool => pool.memcpyPersistSync(0, bytes, { noDrain: true }), false],
  ['memmovePersist', pool => pool.memmovePersist(0, 4, 8), true],
  ['memmovePersistSync', pool => pool.memmovePersistSync(0, 4, 8), true],
  ['memsetPersist', pool => pool.memsetPersist(0, 1, 8), true],
  ['memsetPersistSync', pool => pool.memsetPersistSync(0, 1, 8), true],
]

/** What concerns the pool as a whole, with the errors of a pool that is open and of one that has lost a replica. */
const others: [name: string, call: (pool: Pool) => unknown, open?: ErrorCode | undefined, degraded?: ErrorCode][] = [
  ['verify', pool => pool.verify(), undefined, 'ERR_TARGET_LOST'],
  ['resolve', pool => pool.resolve('node x'), 'ERR_ARGUMENT', 'ERR_ARGUMENT'],
  ['grow', pool => pool.grow(), 'ERR_POOLSET_UNSUITABLE', 'ERR_POOLSET_UNSUITABLE'],
  ['share', pool => pool.share()],
]

/** Brings a fresh pool into a state; the returned function lets go of what holds it there. */
const states: [name: string, reach: (t: Test, pool: Pool, target: ScriptedTarget) => Promise<() => void>][] = [
  ['open', async () => () => {}],
  [
    'degraded',
    async (_, pool, target) => {
      target.refusing = new RpmemError('ERR_SSH_REFUSED', 'not there')
      const lost = new Promise(resolve => pool.once('replica-lost', resolve))
      target.die(new RpmemError('ERR_TARGET_LOST', 'killed'))
      await lost
      return () => {}
    },
  ],
  [
    'closing',
    async (_, pool, target) => {
      target.hold()
      void pool.persist(0, 8)
      void pool.close()
      return () => target.release()
    },
  ],
  [
    'closed',
    async (_, pool) => {
      await pool.close()
      return () => {}
    },
  ],
]

for (const [state, reach] of states) {
  t.test(`a pool that is ${state}`, async t => {
    const directory = scratch(t)
    const target = new ScriptedTarget('node')
    const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA node x')
    const pool = await Pool.create(set, { connectRemote: connectorTo(target) })
    const letGo = await reach(t, pool, target)
    for (const [name, call, needsReplicas] of methods) {
      t.equal(pool.state, state)
      const outcome = async () => call(pool)
      if (!usable.has(state)) await t.rejects(outcome(), { code: 'ERR_CLOSED', facts: { state } }, name)
      else if (state === 'degraded' && needsReplicas) await t.rejects(outcome(), { code: 'ERR_PERSIST' }, name)
      else await t.resolves(outcome(), name)
    }
    for (const [name, call, open, degraded] of others) {
      t.equal(pool.state, state)
      const outcome = async () => call(pool)
      const code = usable.has(state) ? (state === 'degraded' ? degraded : open) : 'ERR_CLOSED'
      if (code) await t.rejects(outcome(), { code }, name)
      else await t.resolves(outcome(), name)
    }
    t.equal(pool.replicas.length, 2, 'what it consists of can be asked in every state')
    t.ok(pool.size > 0)
    t.ok(pool.attributes)
    letGo()
    await t.resolves(Promise.all([pool.close(), pool.close()]), 'close never fails for being repeated')
    t.equal(pool.state, 'closed')
  })
}

t.test('views are detached by close', async t => {
  const directory = scratch(t)
  const pool = await Pool.create(writeSet(directory, 'x.set', `2M ${directory}/a`))
  const view = pool.view(0, 8)
  const closed = new Promise<void>(resolve => pool.once('closed', resolve))
  await pool.close()
  await closed
  t.equal(view.length, 0)
})

t.test('a pool that is busy with a persist', async t => {
  const directory = scratch(t)
  const target = new ScriptedTarget('node')
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA node x')
  const pool = await Pool.create(set, { connectRemote: connectorTo(target) })
  target.hold()
  const settled: string[] = []
  const waiting: [string, Promise<unknown>][] = [['the first', pool.persist(0, 8)]]
  for (const [name, call] of methods) {
    t.equal(pool.state, 'open')
    const result = call(pool)
    if (result instanceof Promise) waiting.push([name, result])
  }
  for (const [name, promise] of waiting) void promise.finally(() => settled.push(name))
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(settled, [], 'the blocking forms are through, no promise is')
  t.equal(waiting.length, 1 + 6)
  target.release()
  for (const [name, promise] of waiting) await t.resolves(promise, name)
  await pool.close()
})

/** Reaches the target only when the test lets it, or until the caller aborts. */
function slowConnector(target: ScriptedTarget) {
  const connector = connectorTo(target)
  let asked: () => void = () => {}
  let go: () => void = () => {}
  const reached = new Promise<void>(resolve => {
    asked = resolve
  })
  const wait = ({ signal }: RemoteRequest) =>
    new Promise<void>((resolve, reject) => {
      go = resolve
      signal?.addEventListener('abort', () => reject(signal.reason))
      asked()
    })
  const connectRemote: RemoteConnector = {
    create: request => wait(request).then(() => connector.create(request)),
    open: request => wait(request).then(() => connector.open(request)),
  }
  return { connectRemote, reached, go: () => go() }
}

t.test('a pool that is opening has no object yet, but nobody else can have it', async t => {
  const directory = scratch(t)
  const target = new ScriptedTarget('node')
  const connectRemote = connectorTo(target)
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA node x')
  for (const way of ['create', 'open'] as const) {
    const slow = slowConnector(target)
    const opening = Pool[way](set, { connectRemote: slow.connectRemote })
    await slow.reached
    await t.rejects(Pool.create(set, { connectRemote }), { code: 'ERR_POOL_BUSY' }, `create during ${way}`)
    await t.rejects(Pool.open(set, { connectRemote }), { code: 'ERR_POOL_BUSY' }, `open during ${way}`)
    slow.go()
    const pool = await opening
    t.equal(pool.state, 'open')
    await pool.close()
  }
})

t.test('an opening that is aborted leaves nothing, or the pool as it was', async t => {
  const directory = scratch(t)
  const target = new ScriptedTarget('node')
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA node x')
  for (const [way, left] of [
    ['create', ['x.set']],
    ['open', ['a', 'a.missing', 'a.record', 'a.status', 'x.set']],
  ] as const) {
    if (way === 'open') await (await Pool.create(set, { connectRemote: connectorTo(target) })).close()
    const slow = slowConnector(target)
    const gaveUp = new AbortController()
    const opening = Pool[way](set, { connectRemote: slow.connectRemote, signal: gaveUp.signal })
    await slow.reached
    gaveUp.abort(new Error('no longer wanted'))
    await t.rejects(opening, { code: 'ERR_ABORTED' }, way)
    const found = readdirSync(directory).map(name => name.replace(/missing-.*/, 'missing'))
    t.strictSame(found.sort(), left, way)
  }
  await (await Pool.open(set, { connectRemote: connectorTo(target) })).close()
})
