import { closeSync, openSync, readdirSync } from 'node:fs'
import t, { type Test } from 'tap'
import { attributesEqual, MiB, pageSize } from '../../core/index.js'
import { mappableSize, NativeMemory } from '../../fabric-native/index.js'
import { RemotePool, type RemotePoolCreateOptions } from '../../initiator/index.js'
import { decodeHeader } from '../../pool/index.js'
import type { RemoteNodeOptions } from '../fixture/remote-node.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { twoDaxDevices } from './dax-devices.js'
import { attributes, pattern, verbsNode } from './verbs-node.js'

/** A target whose parts are devices: the real daemon behind a real sshd, over RDMA and over TCP. */

const [first, second] = twoDaxDevices()
process.env.RPMEM_TEST_DEVICE_DAX = `${first},${second}`
await import('../pool/device-dax-real.test.js')

function deviceSize(device: string): number {
  const fd = openSync(device, 'r+')
  try {
    return mappableSize(fd).size
  } finally {
    closeSync(fd)
  }
}

/** What stands on a device now; it can only be mapped. */
function onDevice(device: string, offset: number, length: number): Uint8Array {
  const fd = openSync(device, 'r+')
  const memory = NativeMemory.map([{ fd, offset: 0, length: deviceSize(device) }])
  try {
    return memory.view(offset, length).slice()
  } finally {
    memory.close()
    closeSync(fd)
  }
}

const isEmpty = (device: string): boolean => onDevice(device, 0, 2 * MiB).every(byte => byte === 0)

async function target(t: Test, lines: readonly string[], size: number, more: RemoteNodeOptions = {}) {
  const bed = await verbsNode(t, more)
  bed.node.writeSet('dax.set', ['PMEMPOOLSET', ...lines, ''].join('\n'))
  const memory = NativeMemory.anonymous(size)
  t.teardown(() => memory.close())
  const defaults = { ...bed.options, lanes: 4 }
  const closing = (pool: RemotePool) => {
    t.teardown(() => pool.close().catch(() => {}))
    return pool
  }
  const { address } = bed.node
  return {
    ...{ node: bed.node, memory },
    create: async (options?: RemotePoolCreateOptions) =>
      closing(await RemotePool.create(address, 'dax.set', memory, { ...defaults, ...options })),
    open: async (options?: RemotePoolCreateOptions) =>
      closing(await RemotePool.open(address, 'dax.set', memory, { ...defaults, ...options })),
    remove: (options = {}) => RemotePool.remove(address, 'dax.set', { ...bed.options, ...options }),
  }
}

type Bed = Awaited<ReturnType<typeof target>>

/** Writes by every call, at the beginning, across 2 MiB and up to the last byte. */
async function write(pool: RemotePool, memory: NativeMemory): Promise<void> {
  const last = pool.size - 30_000
  for (const at of [pageSize, 2 * MiB - 15_000, last]) memory.view(at, 30_000).set(pattern(30_000, at))
  pool.persistSync(pageSize, 30_000)
  await pool.persist(2 * MiB - 15_000, 10_000)
  pool.flush(2 * MiB - 5000, 10_000)
  pool.flush(2 * MiB + 5000, 10_000, { relaxed: true })
  pool.drainSync()
  pool.deepPersistSync(last, 20_000, { lane: 3 })
  await pool.deepPersist(last + 20_000, 10_000)
}

const over = (provider: 'verbs' | 'tcp' | 'sockets', options: RemotePoolCreateOptions = {}) => ({
  provider,
  options: { ...options, transport: { require: provider } },
})
const rows = [
  { pmdk: false, method: 'APM', ...over('verbs') },
  { pmdk: false, method: 'GPSPM', ...over('tcp') },
  { pmdk: true, method: 'GPSPM', ...over('verbs') },
  { pmdk: true, method: 'APM', ...over('verbs') },
  { pmdk: true, method: 'APM', ...over('sockets') },
]

/** Creates a pool on the whole device and writes to it; what stood there before stays where nothing is written. */
async function createOnDevice(t: Test, { node, memory, create }: Bed, options = {}) {
  const pool = await create(options)
  const all = memory.view(pageSize, memory.size - pageSize)
  await pool.read(pageSize, all)
  await write(pool, memory)
  const seen = new Uint8Array(all.length)
  await pool.read(pageSize, seen)
  sameBytes(t, seen, all, 'read back')
  t.match(node.daemonLog(), new RegExp(`${memory.size} of ${memory.size} bytes.* durable by dax`), 'the whole device')
  return pool
}

t.test('a target keeps its replica on a device of AUTO size, from its creation to its removal', async t => {
  const bed = await target(t, [`AUTO ${first}`], deviceSize(first))
  const { node, memory, create, open, remove } = bed
  const pool = await createOnDevice(t, bed)
  t.match(pool.transport, { provider: 'verbs', persistMethod: 'GPSPM' })
  await pool.setAttributes({ ...attributes, major: 2 })
  await t.rejects(open(), { code: 'ERR_POOL_BUSY' })
  await pool.close()
  const data = memory.view(pageSize, memory.size - pageSize)
  sameBytes(t, onDevice(first, pageSize, data.length), data, 'on the device')
  t.match(decodeHeader(onDevice(first, 0, pageSize)), { major: 2, signature: attributes.signature })

  await t.rejects(create(), { code: 'ERR_PART_EXISTS' })
  const again = await open()
  t.ok(again.attributes && attributesEqual(again.attributes, { ...attributes, major: 2 }))
  await again.close()
  await remove()
  t.ok(isEmpty(first), 'a removed pool is zeros')
  t.strictSame(readdirSync(node.pools).sort(), ['a.set', 'dax.set'], 'notes go with the pool')
  await t.rejects(remove(), { name: 'RpmemError', errno: 22 }, 'what is no pool is not removed')
  await remove({ force: true, removePoolSet: true })
  t.strictSame(readdirSync(node.pools), ['a.set'])
})

for (const { provider, pmdk, method, options } of rows) {
  const dialect = pmdk ? 'PMDK' : 'rpmem'
  t.test(
    `what is written to a device by ${method} over ${provider} in the ${dialect} dialect stands there`,
    async t => {
      const more = { pmdk, arguments: method === 'APM' ? ['--persist-apm'] : [] }
      const bed = await target(t, [`AUTO ${first}`], deviceSize(first), more)
      const pool = await createOnDevice(t, bed, options)
      t.match(pool.transport, { provider, persistMethod: method })
      await pool.close()
      const data = bed.memory.view(pageSize, bed.memory.size - pageSize)
      sameBytes(t, onDevice(first, pageSize, data.length), data, 'on the device')
      await bed.remove()
      t.ok(isEmpty(first), 'a removed pool is zeros')
    },
  )
}
