import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type ErrorCode, MiB, type PoolAttributes, pageSize, zeroAttributes } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { Pool, RemotePool } from '../../initiator/index.js'
import { mirroredPool } from './mirrored-pool.js'
import { TargetHost } from './target-host.js'

const size = 8 * MiB
const attributes: PoolAttributes = { ...zeroAttributes(), signature: Buffer.from('MATRIX\0\0') }
const bytes = new Uint8Array(64)

/** Every method of a remote pool but close(), which never fails. */
const remoteMethods: readonly (readonly [name: string, call: (pool: RemotePool) => unknown])[] = [
  ['persistSync', pool => pool.persistSync(pageSize, 64)],
  ['persist', pool => pool.persist(pageSize, 64)],
  ['start', pool => pool.start(pageSize, 64).finish()],
  ['flush', pool => pool.flush(pageSize, 64)],
  ['drainSync', pool => pool.drainSync()],
  ['drain', pool => pool.drain()],
  ['deepPersistSync', pool => pool.deepPersistSync(pageSize, 64)],
  ['deepPersist', pool => pool.deepPersist(pageSize, 64)],
  ['readSync', pool => pool.readSync(0, new Uint8Array(64))],
  ['read', pool => pool.read(0, new Uint8Array(64))],
  ['setAttributes', pool => pool.setAttributes({ ...attributes, major: 2 })],
  ['share', async pool => pool.share()],
]

/** Every method of a pool, and whether it needs all replicas. */
const methods: readonly (readonly [name: string, call: (pool: Pool) => unknown, needsReplicas: boolean])[] = [
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
  ['memmovePersist', pool => pool.memmovePersist(0, 4, 8), true],
  ['memmovePersistSync', pool => pool.memmovePersistSync(0, 4, 8), true],
  ['memsetPersist', pool => pool.memsetPersist(0, 1, 8), true],
  ['memsetPersistSync', pool => pool.memsetPersistSync(0, 1, 8), true],
]

/** What concerns the pool as a whole, with the error of a pool that has lost a replica. */
const others: readonly (readonly [name: string, call: (pool: Pool) => unknown, lost?: ErrorCode, open?: ErrorCode])[] =
  [
    ['verify', pool => pool.verify(), 'ERR_TARGET_LOST'],
    ['resolve', pool => pool.resolve('master'), 'ERR_ARGUMENT', 'ERR_ARGUMENT'],
    ['grow', pool => pool.grow(), 'ERR_POOLSET_UNSUITABLE', 'ERR_POOLSET_UNSUITABLE'],
    ['share', pool => pool.share()],
  ]

/** The event, while a timer holds the process: nothing else does. */
async function loss(pool: Pool | RemotePool, event: 'lost' | 'replica-lost'): Promise<void> {
  const holding = setTimeout(() => {}, 10_000)
  await once(pool, event, { signal: AbortSignal.timeout(10_000) })
  clearTimeout(holding)
}

interface State<P> {
  readonly name: string
  readonly code?: 'ERR_CLOSED' | 'ERR_TARGET_LOST' | 'ERR_PERSIST'
  /** Resolves when the pool is in the state; the function that it gives ends what was begun for it. */
  readonly reach: (pool: P, host: TargetHost) => Promise<() => Promise<unknown>>
}

const nothing = async () => {}

const states = <P extends Pool | RemotePool>(dead: State<P>): readonly State<P>[] => [
  { name: 'open', reach: async () => nothing },
  {
    name: 'busy',
    async reach(pool) {
      const pending = Promise.all(Array.from({ length: 64 }, (_, at) => pool.persist(pageSize + at * 8192, 8192)))
      return () => pending
    },
  },
  dead,
  {
    name: 'closing',
    code: 'ERR_CLOSED',
    async reach(pool) {
      const pending = pool.persist(pageSize, MiB)
      const closing = pool.close()
      return () => Promise.all([pending, closing])
    },
  },
  {
    name: 'closed',
    code: 'ERR_CLOSED',
    async reach(pool) {
      await pool.close()
      return nothing
    },
  },
]

const remoteStates = states<RemotePool>({
  name: 'without its target',
  code: 'ERR_TARGET_LOST',
  async reach(pool, host) {
    process.kill(host.daemonOf('a'), 'SIGKILL')
    await loss(pool, 'lost')
    return nothing
  },
})

const poolStates = states<Pool>({
  name: 'without one of its targets',
  code: 'ERR_PERSIST',
  async reach(pool, host) {
    process.kill(host.daemonOf('a'), 'SIGKILL')
    await loss(pool, 'replica-lost')
    return nothing
  },
})

for (const { name, code, reach } of remoteStates) {
  t.test(`a remote pool that is ${name}`, async t => {
    const host = await TargetHost.start(t)
    host.replica('a', [['8M', 'part']])
    const memory = NativeMemory.anonymous(size)
    const pool = await RemotePool.create(host.address, 'a/x.set', memory, { ...host.options, lanes: 2, attributes })
    const settle = await reach(pool, host)
    for (const [method, call] of remoteMethods) {
      const outcome = async () => call(pool)
      if (code) await t.rejects(outcome(), { code }, method)
      else await t.resolves(outcome(), method)
    }
    t.match(pool, { laneCount: 2, size, transport: { provider: 'tcp' }, attributes: { signature: /./ } }, 'facts stay')
    t.equal(pool.failure?.code, code === 'ERR_TARGET_LOST' ? code : undefined)
    await t.resolves(settle(), 'what was begun succeeds')
    await t.resolves(Promise.all([pool.close(), pool.close()]), 'close can be repeated')
    t.not(await host.allEnd(), undefined, 'no daemon stays')
    memory.close()
  })
}

for (const { name, code, reach } of poolStates) {
  t.test(`a pool that is ${name}`, async t => {
    const { host, pool } = await mirroredPool(t)
    const settle = await reach(pool, host)
    for (const [method, call, needsReplicas] of methods) {
      const outcome = async () => call(pool)
      if (code === 'ERR_CLOSED' || (code && needsReplicas)) await t.rejects(outcome(), { code }, method)
      else await t.resolves(outcome(), method)
    }
    for (const [method, call, lost, open] of others) {
      const outcome = async () => call(pool)
      const expected = code === 'ERR_CLOSED' ? code : code ? lost : open
      if (expected) await t.rejects(outcome(), { code: expected }, method)
      else await t.resolves(outcome(), method)
    }
    t.equal(pool.replicas.filter(({ failure }) => failure === undefined).length, code === 'ERR_PERSIST' ? 2 : 3)
    await t.resolves(settle(), 'what was begun succeeds')
    await t.resolves(Promise.all([pool.close(), pool.close()]), 'close can be repeated')
    t.not(await host.allEnd(), undefined, 'no daemon stays')
  })
}

t.test('a pool that is being opened is busy for a second opener, who leaves it alone', async t => {
  const { host, pool, set, reopen } = await mirroredPool(t)
  await pool.close()
  await host.allEnd()
  const attempts = await Promise.allSettled([reopen(), reopen()])
  const opened = attempts.flatMap(attempt => (attempt.status === 'fulfilled' ? [attempt.value] : []))
  const refused = attempts.flatMap(attempt => (attempt.status === 'rejected' ? [attempt.reason] : []))
  t.equal(opened.length, 1, set)
  t.match(refused, [{ code: 'ERR_POOL_BUSY', facts: { part: /./ } }])
  for (const winner of opened) {
    winner.persistSync(0, 64)
    await winner.close()
  }
  t.not(await host.allEnd(), undefined, 'no daemon stays')
})

t.test('an attempt that is aborted while it creates or opens leaves nothing', async t => {
  for (const when of ['before', 'at once', 'later'] as const) await aborted(t, when)
})

async function aborted(t: Test, when: 'before' | 'at once' | 'later'): Promise<void> {
  const { host, pool, set } = await mirroredPool(t)
  await pool.close()
  await host.allEnd()
  const daemons = () => host.daemons().length
  const controller = new AbortController()
  if (when === 'before') controller.abort()
  const attempt = Pool.open(set, { remote: host.options, signal: controller.signal })
  if (when === 'at once') controller.abort()
  if (when === 'later') {
    // The first daemon has begun to start.
    const watch = setInterval(() => daemons() > 0 && controller.abort(), 1)
    controller.signal.addEventListener('abort', () => clearInterval(watch))
  }
  await t.rejects(attempt, { code: 'ERR_ABORTED' }, when)
  t.not(await host.allEnd(), undefined, 'no daemon stays')
  const again = await Pool.open(join(set), { remote: host.options })
  await again.close()
}
