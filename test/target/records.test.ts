import t from 'tap'
import { descend, KiB, MiB, type ReplicaRecord } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import { blockSums } from '../../pool/index.js'
import { laneTokens } from '../../wire/index.js'
import { create, Initiator, open } from './initiator.js'
import { type Bed, bed, talk } from './session-bed.js'

const begun = (id: number) => ({
  id: id.toString(16).padStart(32, '0'),
  since: '2026-01-01T00:00:00.000Z',
  writer: 'node1 42',
  why: 'created' as const,
})
const record: ReplicaRecord = {
  lineage: { pool: 'a'.repeat(32), current: { ...begun(1), number: 1 }, ancestors: [] },
  closed: false,
  syncing: false,
  touched: false,
}
const younger: ReplicaRecord = { ...record, lineage: descend(record.lineage, begun(2)) }

/** A session in which the pool is asked for, and the daemon's answer. */
async function ask(it: Bed, message: typeof create | typeof open, claim?: ReplicaRecord) {
  const initiator = new Initiator(talk(it.node, 'rpmem'))
  await initiator.begin()
  initiator.say(claim ? { ...message, claim } : message)
  return initiator
}

/** Up to the point where lanes are connected. */
async function serve(it: Bed, message: typeof create | typeof open, claim?: ReplicaRecord) {
  const initiator = await ask(it, message, claim)
  const ready = await initiator.hear('ready')
  const { port, address, method, rkey, raddr, lanes, inlineSize, secret } = ready
  const size = 8 * MiB
  const shared = { provider: 'tcp', dialect: 'rpmem', memory: new BufferMemory(size), size } as const
  const tokens = laneTokens(secret, lanes)
  await it.fabric.connect({ ...shared, port, address, method, rkey, raddr, lanes, inlineSize, tokens })
  return { initiator, ready }
}

async function close(initiator: Initiator<ReturnType<typeof talk>>): Promise<void> {
  initiator.say({ type: 'close', id: 99, remove: false })
  await initiator.hear('done')
  await initiator.channel.ended
}

t.test('a new copy has no record until it is told one, and shows it to the next initiator', async t => {
  const it = bed(t)
  const { initiator, ready } = await serve(it, create, record)
  t.equal(ready.record, undefined)
  initiator.say({ type: 'adopt', id: 2, record })
  t.strictSame(await initiator.hear('done'), { type: 'done', id: 2 })
  await close(initiator)
  const next = await serve(it, open, younger)
  t.strictSame(next.ready.record, record, 'a copy that is behind may be written to')
  await close(next.initiator)
})

t.test('whoever has been left behind is refused, and the copy stays free', async t => {
  const it = bed(t)
  const { initiator } = await serve(it, create, younger)
  initiator.say({ type: 'adopt', id: 2, record: younger })
  await initiator.hear('done')
  await close(initiator)
  const old = await ask(it, open, record)
  t.match(await old.hear('failure'), {
    code: 'ERR_REPLICA_AHEAD',
    facts: { generation: 2, id: younger.lineage.current.id, writer: 'node1 42', why: 'created', common: 1 },
  })
  await old.channel.ended
  const apart = { ...record, lineage: descend(record.lineage, begun(3)) }
  const other = await ask(it, open, apart)
  t.match(await other.hear('failure'), { code: 'ERR_REPLICA_DIVERGED', facts: { common: 1 } })
  const stranger = { ...record, lineage: { ...record.lineage, pool: 'b'.repeat(32) } }
  t.match(await (await ask(it, open, stranger)).hear('failure'), { code: 'ERR_REPLICA_STRANGER' })
  await close((await serve(it, open, younger)).initiator)
})

t.test('an initiator that knows nothing of generations leaves its mark', async t => {
  const it = bed(t)
  const { initiator } = await serve(it, create, record)
  initiator.say({ type: 'adopt', id: 2, record })
  await initiator.hear('done')
  await close(initiator)
  await close((await serve(it, open)).initiator)
  const { initiator: again, ready } = await serve(it, open, record)
  t.equal(ready.record?.touched, true)
  await close(again)
})

t.test('checksums are those of the memory, and of no more than may be asked for', async t => {
  const it = bed(t)
  const { initiator } = await serve(it, create)
  const blank = new BufferMemory(8 * MiB)
  initiator.say({ type: 'sums', id: 2, offset: 4 * KiB, length: 100 * KiB, blockSize: 64 * KiB })
  const { sums } = await initiator.hear('blockSums')
  t.strictSame(Buffer.from(sums), Buffer.from(blockSums(blank, 4 * KiB, 100 * KiB, 64 * KiB)))
  const wrong = [
    { offset: 8 * MiB - 4 * KiB, length: 8 * KiB, blockSize: 4 * KiB },
    { offset: 0, length: 8 * MiB + 1, blockSize: 64 * KiB },
    { offset: Number.MAX_SAFE_INTEGER - 1, length: 4 * KiB, blockSize: 4 * KiB },
    { offset: 0, length: 128 * MiB, blockSize: 64 * MiB },
  ]
  for (const [index, request] of wrong.entries()) {
    initiator.say({ type: 'sums', id: 3 + index, ...request })
    t.match(await initiator.hear('failure'), { id: 3 + index, code: 'ERR_RANGE' })
  }
  await close(initiator)
})

t.test('records and checksums are of a pool that is served, and of none before', async t => {
  const initiator = new Initiator(talk(bed(t).node, 'rpmem'))
  await initiator.begin()
  initiator.say({ type: 'adopt', id: 1, record })
  t.match(await initiator.hear('failure'), { id: 1, code: 'ERR_PROTOCOL' })
  initiator.say({ type: 'sums', id: 2, offset: 0, length: 1, blockSize: 4 * KiB })
  t.match(await initiator.hear('failure'), { id: 2, code: 'ERR_PROTOCOL' })
  await initiator.end()
})
