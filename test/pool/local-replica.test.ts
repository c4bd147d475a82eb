import t from 'tap'
import { RpmemError } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import { FanOut } from '../../pool/fan-out.js'
import { LocalReplica } from '../../pool/local-replica.js'
import type { Assembly } from '../../pool/pool-assembly.js'

const size = 8192

/** A master and a local replica on a disk whose waits are in the hands of the test. */
function onDisk() {
  const disks = [0, 1].map(() => {
    const memory = new BufferMemory(size, { method: 'msync' })
    const syncs: { resolve: () => void; reject: (error: Error) => void }[] = []
    const sync = () => new Promise<void>((resolve, reject) => syncs.push({ resolve, reject }))
    return { memory, syncs, owner: { sync, close: async () => memory.close() } }
  })
  const [one, two] = disks
  if (!one || !two) throw new Error('there are two disks')
  const master = new LocalReplica('master', one.memory, one.owner)
  const local = new LocalReplica('local replica 1', two.memory, two.owner, one.memory)
  const replicas = [master, local]
  const assembly: Assembly = { replicas, master, locals: [local], remotes: [], size, base: 0, attributes: undefined }
  const lost: string[] = []
  return { one, two, master, local, lost, fanOut: new FanOut(assembly, ({ name }) => lost.push(name)) }
}

t.test('promises wait for all disks at once, off the event loop', async t => {
  const { one, two, fanOut } = onDisk()
  one.memory.fill(100, 7, 50, { noFlush: true })
  const persisting = fanOut.persist(100, 50, {})
  t.equal(one.syncs.length, 1)
  t.equal(two.syncs.length, 1)
  const copy = new Uint8Array(50)
  two.memory.read(100, copy)
  t.strictSame(copy, new Uint8Array(50).fill(7), 'the local replica has the bytes before its disk is asked')
  one.syncs[0]?.resolve()
  two.syncs[0]?.resolve()
  await persisting
})

t.test('a disk that fails loses its replica and names it', async t => {
  const { one, two, fanOut, lost } = onDisk()
  const persisting = fanOut.persist(0, 8, {})
  one.syncs[0]?.resolve()
  two.syncs[0]?.reject(new RpmemError('ERR_MSYNC', 'I/O error'))
  await t.rejects(persisting, { code: 'ERR_PERSIST', durability: 'local', causes: [{ replica: 'local replica 1' }] })
  t.strictSame(lost, ['local replica 1'])
  const again = fanOut.persist(0, 8, {})
  one.syncs[1]?.resolve()
  await t.rejects(again, {
    code: 'ERR_PERSIST',
    causes: [{ replica: 'local replica 1', error: { code: 'ERR_MSYNC' } }],
  })
  t.throws(() => fanOut.persistSync(0, 8, {}), { code: 'ERR_PERSIST' })
})

t.test('a page that was lost while the disk worked is no success', async t => {
  const { one, two, fanOut } = onDisk()
  const persisting = fanOut.persist(0, 8, {})
  one.memory.truncate()
  one.syncs[0]?.resolve()
  two.syncs[0]?.resolve()
  await t.rejects(persisting, { code: 'ERR_PERSIST', causes: [{ error: { code: 'ERR_POOL_TRUNCATED' } }] })
})

t.test('a drain waits for the disk too', async t => {
  const { one, two, fanOut } = onDisk()
  one.memory.fill(0, 9, 8, { noFlush: true })
  fanOut.flush(0, 8, {})
  const draining = fanOut.drain({})
  one.syncs[0]?.resolve()
  two.syncs[0]?.resolve()
  await draining
  t.equal(two.memory.afterPowerFailure()[7], 9)
})

t.test('what is shared with other threads is asked through the mapping, whose failures they see', async t => {
  const { one, two, master, local, fanOut } = onDisk()
  master.share()
  local.share()
  one.memory.fill(0, 9, 8, { noFlush: true })
  await fanOut.persist(0, 8, {})
  t.equal(one.memory.afterPowerFailure()[0], 9)
  t.equal(two.memory.afterPowerFailure()[0], 9)
  t.equal(one.syncs.length + two.syncs.length, 0)
})

t.test('a storage that refuses the blocking forms is a failure as well', async t => {
  const { two, fanOut, lost } = onDisk()
  two.memory.refuseNext()
  t.throws(() => fanOut.persistSync(0, 8, {}), {
    code: 'ERR_PERSIST',
    durability: 'local',
    causes: [{ replica: 'local replica 1', error: { code: 'ERR_MSYNC' } }],
  })
  t.strictSame(lost, ['local replica 1'])
})
