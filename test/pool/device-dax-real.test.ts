import t from 'tap'
import { run } from '../../cli/command-line.js'
import { pageSize, zeroAttributes } from '../../core/index.js'
import { Pool } from '../../pool/index.js'
import { systemFiles } from '../../poolset/index.js'
import { FilePoolStore } from '../../target/pool-store.js'
import { FakeIo } from '../cli/fake-io.js'
import { pattern } from '../fabric-native/memory-compliance.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { scratch, writeSet } from './scratch.js'

/** Devices whose first 2 MiB may be overwritten, between commas. They must begin with zeros; each test leaves them so. */
const devices = (process.env.RPMEM_TEST_DEVICE_DAX ?? '').split(',').filter(path => path !== '')
const [device = ''] = devices
const one = { skip: devices.length > 0 ? false : 'no device DAX is named in RPMEM_TEST_DEVICE_DAX' }
const two = { skip: devices.length > 1 ? false : 'no second device DAX is named in RPMEM_TEST_DEVICE_DAX' }

const rpmem = async (...argv: string[]) => {
  const io = new FakeIo()
  return { code: await run(argv, io), out: io.stdout, err: io.stderr }
}

t.test(
  'a pool takes the whole device, is durable by cache flush, comes back, and is removed by zeros',
  one,
  async t => {
    const found = systemFiles.look(device)
    if (found.kind !== 'device-dax') throw new Error(`${device} is ${found.kind}`)
    const set = writeSet(scratch(t), 'pool.set', `AUTO ${device}`)
    const pool = await Pool.create(set, { signature: 'ONDEVICE' })
    t.equal(pool.size, found.size - pageSize)
    t.equal(pool.replicas[0]?.method, 'dax')
    const last = pool.size - 5000
    for (const at of [0, 100_001, last]) pool.memcpyPersistSync(at, pattern(5000))
    await pool.persist(0, 5000)
    pool.deepPersistSync(last, 5000)
    await t.rejects(Pool.open(set), { code: 'ERR_POOL_BUSY' })
    await pool.close()
    const again = await Pool.open(set, { signature: 'ONDEVICE' })
    for (const at of [0, 100_001, last])
      sameBytes(t, again.view(at, 5000), pattern(5000), `what was persisted at ${at}`)
    await again.close()
    await t.rejects(Pool.create(set), { code: 'ERR_PART_EXISTS' })
    t.match(await rpmem('info', set), { code: 0, out: /ONDEVICE.*right/s })
    t.match(await rpmem('poolset', 'plan', set), { code: 0, out: /device DAX/ })
    t.match(await rpmem('rm', set), { code: 0 })
    t.match(await rpmem('info', set), { code: 1, out: /has no header/ })
    await (await Pool.create(set)).close()
    t.match(await rpmem('rm', '--force', set), { code: 0 })
  },
)

t.test('a size that is not the device’s is refused', one, async t => {
  const set = writeSet(scratch(t), 'pool.set', `2M ${device}`)
  await t.rejects(Pool.create(set), { code: 'ERR_PART_SIZE', message: /the device has/ })
})

t.test('a target keeps a replica on a device', one, async t => {
  const at = scratch(t)
  writeSet(at, 'pool.set', `AUTO ${device}`)
  const store = new FilePoolStore(at)
  const attributes = { ...zeroAttributes(), signature: Buffer.from('TARGET!!'), major: 1, incompat: 2 }
  const made = await store.create('pool.set', 2 * pageSize, attributes)
  t.equal(made.memory.method, 'dax')
  made.memory.copyIn(pageSize, pattern(100))
  await made.setAttributes({ ...attributes, major: 2 })
  await made.close()
  const again = await store.open('pool.set', 2 * pageSize)
  t.equal(again.attributes?.major, 2)
  sameBytes(t, again.memory.view(pageSize, 100), pattern(100), 'what was stored')
  await again.remove()
})

t.test('two devices make one pool with SINGLEHDR', two, async t => {
  const set = writeSet(scratch(t), 'pool.set', 'OPTION SINGLEHDR', ...devices.slice(0, 2).map(path => `AUTO ${path}`))
  const pool = await Pool.create(set)
  t.equal(pool.replicas[0]?.method, 'dax')
  pool.memsetPersistSync(0, 3, pool.size)
  await pool.close()
  const again = await Pool.open(set)
  t.equal(again.view(again.size - 1, 1)[0], 3)
  await again.close()
  t.match(await rpmem('rm', set), { code: 0 })
})
