import t, { type Test } from 'tap'
import { MiB, type PoolAttributes } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { RemotePool, type RemotePoolCreateOptions, readEnvironment } from '../../initiator/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { attributesSize, maxInline, type RequestName, requestNames } from '../pmdk-peer/control-bytes.js'
import { modes } from '../pmdk-peer/lane-bytes.js'
import { PmdkDaemon, type PmdkDaemonOptions } from '../pmdk-peer/pmdk-daemon.js'

/** Our initiator with a stand-in for rpmemd 1.12: no byte of what that says or reads goes through wire/ or fabric-native/. */

const size = 8 * MiB

function bed(t: Test, options: PmdkDaemonOptions = {}) {
  const daemon = new PmdkDaemon(t, options)
  const memory = NativeMemory.anonymous(size)
  t.teardown(() => memory.close())
  const environment = readEnvironment({ RPMEM_ENABLE_SOCKETS: '1' })
  const defaults = { shell: daemon.shell, environment, deadlineMs: 20_000 }
  const closing = (pool: RemotePool) => {
    t.teardown(() => pool.close().catch(() => {}))
    return pool
  }
  return {
    daemon,
    memory,
    create: async (more: RemotePoolCreateOptions = {}) =>
      closing(await RemotePool.create('node2', 'a.set', memory, { ...defaults, ...more })),
    open: async (more: RemotePoolCreateOptions = {}) =>
      closing(await RemotePool.open('node2', 'a.set', memory, { ...defaults, ...more })),
  }
}

/** The bytes of an attribute block and what they say. */
const block = (seed: number): Uint8Array =>
  Uint8Array.from({ length: attributesSize }, (_, at) => (at * 5 + seed) & 0xff)

function attributesIn(bytes: Uint8Array): PoolAttributes {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const piece = (at: number, length: number) => bytes.slice(at, at + length)
  return {
    signature: piece(0, 8),
    major: view.getUint32(8),
    compat: view.getUint32(12),
    incompat: view.getUint32(16),
    roCompat: view.getUint32(20),
    poolsetUuid: piece(24, 16),
    uuid: piece(40, 16),
    nextUuid: piece(56, 16),
    prevUuid: piece(72, 16),
    userFlags: piece(88, 16),
  }
}

function mark(memory: NativeMemory, offset: number, length: number, seed: number): Uint8Array {
  const range = memory.view(offset, length)
  for (let at = 0; at < length; at++) range[at] = ((offset + at) * 7 + seed) & 0xff
  return range.slice()
}

const lanesAsked = [...Array.from({ length: 16 }, (_, n) => n + 1), 64]

for (const [at, asked] of lanesAsked.entries()) {
  const method = at % 2 === 0 ? 'GPSPM' : 'APM'
  const headers = at % 3 !== 0
  t.test(
    `${method}, ${asked} lanes asked, ${headers ? 'headers' : 'no headers'}: rpmemd hears nothing strange from us`,
    async t => {
      const { daemon, memory, create, open } = bed(t, { method, headers })
      const attributes = headers ? attributesIn(block(1)) : undefined
      const pool = await create({ lanes: asked, attributes })
      t.match(pool, { laneCount: Math.min(asked, 16), transport: { provider: 'sockets', persistMethod: method } })
      t.equal(daemon.lanesGranted, pool.laneCount, 'rpmemd waits for exactly as many connections as it has granted')
      if (headers) sameBytes(t, daemon.attributes, block(1), 'the attributes as they travelled')
      const last = pool.laneCount - 1
      for (const lane of new Set([0, last])) {
        const from = 4096 + lane * 256 * 1024
        const at = (offset: number, length: number) => [from + offset, length] as const
        const check = (range: readonly [number, number], seed: number, act: () => void) => {
          const bytes = mark(memory, ...range, seed)
          act()
          sameBytes(t, daemon.stored(...range), bytes, `${range[1]} bytes on lane ${lane}`)
        }
        const whole = at(0, 200_000)
        const expected = mark(memory, ...whole, lane)
        await pool.persist(...whole, { lane })
        sameBytes(t, daemon.stored(...whole), expected, 'a long range')
        await pool.persist(...at(0, 64), { lane, relaxed: true })
        await pool.deepPersist(...at(4096, 64), { lane })
        mark(memory, ...at(8192, 20_000), 9)
        pool.flush(...at(8192, 20_000), { lane })
        pool.flush(...at(65_536, 4096), { lane, relaxed: true })
        await pool.drain({ lane })
        check(at(8192, 20_000), 9, () => {})
        const read = new Uint8Array(1000)
        daemon.store(from + 131_072, block(7))
        await pool.read(from + 131_072, read, { lane })
        sameBytes(t, read.subarray(0, attributesSize), block(7), 'read from the target, not from here')
      }
      if (headers) await pool.setAttributes(attributesIn(block(77)))
      else await pool.setAttributes(undefined)
      await pool.persist(4096, 64)
      await pool.close()
      t.equal(daemon.flags, 0)
      checkCarried(t, daemon, method)

      const again = await open({ lanes: asked })
      t.strictSame(again.attributes, headers ? attributesIn(block(77)) : undefined)
      const read = new Uint8Array(64)
      await again.read(4096, read)
      sameBytes(t, read, memory.view(4096, 64), 'what was persisted')
      await again.close()
      t.strictSame(daemon.asked, ['create', 'setAttributes', 'close', 'open', 'close'])
      t.strictSame(daemon.exits, [0, 0])
    },
  )
}

/** The table of librpmem's operations; a deep persist asks the target with APM too, where librpmem over sockets forgets it. */
function checkCarried(t: Test, daemon: PmdkDaemon, method: 'GPSPM' | 'APM'): void {
  const seen = new Set(daemon.carried.map(({ flags }) => flags))
  t.strictSame(seen, new Set(method === 'APM' ? [modes.deep, modes.inline] : [modes.flush, modes.deep]))
  t.ok(
    daemon.carried.every(({ flags, size }) => flags !== modes.inline || size <= maxInline),
    'inline data fits',
  )
}

t.test('fewer lanes than asked for are what the pool has', async t => {
  for (const maxLanes of [1, 3]) {
    const { daemon, create } = bed(t, { maxLanes })
    const pool = await create({ lanes: 8 })
    t.match(pool, { laneCount: maxLanes, lanesRequested: 8 })
    t.equal(daemon.lanesAsked, 8)
    t.throws(() => pool.persistSync(4096, 8, { lane: maxLanes }), { code: 'ERR_LANE_RANGE' })
    await pool.close()
    t.strictSame(daemon.exits, [0])
  }
})

t.test('a pool that is taken back is closed with flag 1', async t => {
  const { daemon, create } = bed(t)
  const pool = await create({ lanes: 1 })
  await pool.close({ remove: true })
  t.equal(daemon.flags, 1)
})

t.test('a daemon that dies takes its lanes along, and the pool says so', async t => {
  const { daemon, create } = bed(t)
  const pool = await create({ lanes: 2 })
  const lost = new Promise<Error>((resolve, reject) => {
    const holding = setTimeout(() => reject(new Error('the loss was never told')), 30_000)
    pool.once('lost', error => {
      clearTimeout(holding)
      resolve(error)
    })
  })
  daemon.die()
  t.match(await lost, { code: 'ERR_TARGET_LOST' })
  await t.rejects(pool.persist(4096, 8), { code: 'ERR_TARGET_LOST', errno: 104 })
  await pool.close()
})

/** Status of rpmemd to errno of librpmem. */
const errnoOf: Readonly<Record<number, number>> = {
  ...{ 1: 93, 2: 22, 3: 27, 4: 22, 5: 22, 6: 121, 7: 103, 8: 16, 9: 17, 10: 124, 11: 2, 12: 13, 13: 22 },
  ...{ 14: 71, 255: 71, 4294967295: 71 },
}

t.test('each status of each answer becomes the errno of librpmem', async t => {
  const calls: Readonly<Record<RequestName, (it: ReturnType<typeof bed>) => Promise<unknown>>> = {
    create: ({ create }) => create({ lanes: 1 }),
    open: ({ open }) => open({ lanes: 1 }),
    setAttributes: async ({ create }) => (await create({ lanes: 1 })).setAttributes(undefined),
    close: async ({ create }) => (await create({ lanes: 1 })).close(),
  }
  for (const name of requestNames) {
    // Those that need lanes first take their time.
    const statuses = Object.keys(errnoOf)
      .map(Number)
      .filter((_, at) => name === 'create' || name === 'open' || at % 4 === 0)
    for (const status of statuses) {
      const it = bed(t, { refusals: { [name]: status } })
      await t.rejects(calls[name](it), { name: 'RpmemError', errno: errnoOf[status] }, `${name}: ${status}`)
    }
  }
})
