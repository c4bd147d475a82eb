import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB, pageSize, RpmemError, systemClock } from '../../core/index.js'
import { Arena, type ArenaOptions } from '../../lpsm/index.js'
import { PersistError } from '../../pool/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { arenaBed, load, store } from './arena-bed.js'
import { arenaTargets } from './arena-target.js'
import { contentOf, replicaOf } from './replica-content.js'

const clock = {
  nowMs: systemClock.nowMs,
  after: (ms: number, call: () => void) => systemClock.after(ms, call, 'holds'),
}

function bed(t: Test, ...names: string[]) {
  const arenas = arenaBed(t)
  const targets = arenaTargets(...names)
  const replicas = names.map(name => `${name} arena.set`)
  const options: ArenaOptions = { replicas, connectRemote: targets.connector, clock }
  const states: string[] = []
  const create = async (more: ArenaOptions = {}) => {
    const arena = await arenas.create({ ...options, ...more })
    arena.on('replica-state', ({ state }) => states.push(state))
    return arena
  }
  const there = (name: string) => replicaOf(targets.at(name).bytes)
  return { ...arenas, ...targets, options, replicas, states, create, there }
}

const lost = (name: string): RpmemError => new RpmemError('ERR_TARGET_LOST', `${name} is lost`)

async function synced(arena: Arena): Promise<void> {
  while (arena.replicas.some(({ state }) => state !== 'synced')) await once(arena, 'replica-state')
}

t.test('a checkpoint is on every replica when it has resolved, and the receipt names them', async t => {
  const { create, there } = bed(t, 'a', 'b')
  const arena = await create()
  store(arena, 7, 3)
  const receipt = await arena.checkpoint()
  t.strictSame(receipt.durableOn, ['local', 'a arena.set', 'b arena.set'])
  for (const name of ['a', 'b']) {
    const copy = there(name)
    t.equal(copy.sequence, receipt.sequence)
    sameBytes(t, copy.content, contentOf(arena), 'the content')
  }
})

t.test('the blocking form reaches the replicas as well, behind a checkpoint that is under way', async t => {
  const { create, there } = bed(t, 'a')
  const arena = await create()
  store(arena, 1, 1)
  const first = arena.checkpoint()
  store(arena, 2, 2)
  const receipt = arena.checkpointSync()
  t.equal(receipt.sequence, 2)
  t.equal((await first).sequence, 1)
  sameBytes(t, there('a').content, contentOf(arena), 'the content')
})

t.test('an arena that existed is brought to a new replica as one checkpoint', async t => {
  const { create, options, open, there } = bed(t, 'a')
  const alone = await create({ replicas: [] })
  for (let round = 1; round < 5; round++) {
    store(alone, round, round, 9)
    await alone.checkpoint({ ratio: round % 2 })
  }
  await alone.close()
  const arena = await open(options)
  const copy = there('a')
  t.equal(copy.sequence, 4)
  sameBytes(t, copy.content, contentOf(arena), 'the content')
})

t.test('a replica is at a checkpoint after each single message that it got', async t => {
  const { create, at } = bed(t, 'a')
  const arena = await create()
  const known = new Map<number, Buffer>([[0, contentOf(arena)]])
  let looked = 0
  for (let round = 1; round <= 12; round++) {
    store(arena, round, round, round + 20, 40)
    known.set(round, contentOf(arena))
    const receive = at('a').onReceive
    const moments: Uint8Array[] = []
    at('a').onReceive = bytes => void moments.push(bytes.slice())
    await arena.checkpoint({ ratio: 0.1 })
    at('a').onReceive = receive
    for (const bytes of moments) {
      const copy = replicaOf(bytes)
      looked++
      t.ok(copy.sequence === round || copy.sequence === round - 1, `round ${round}`)
      sameBytes(t, copy.content, known.get(copy.sequence) ?? Buffer.alloc(0), `round ${round}`)
    }
  }
  t.ok(looked > 12)
})

t.test('no replica is ever ahead of what is durable here, so whoever is killed finds it equal or behind', async t => {
  const { create, at, data, log, options, folder } = bed(t, 'a')
  const arena = await create()
  let looked = 0
  for (let round = 1; round <= 6; round++) {
    store(arena, round, round, 40)
    const moments: { there: Uint8Array<ArrayBuffer>; files: readonly [string, string] }[] = []
    at('a').onReceive = bytes => {
      const files = [join(folder, `data-${looked}`), join(folder, `log-${looked++}`)] as const
      cpSync(data, files[0])
      cpSync(log, files[1])
      moments.push({ there: new Uint8Array(bytes), files })
    }
    await arena.checkpoint({ ratio: 0.1 })
    at('a').onReceive = () => {}
    for (const { there, files } of moments) {
      const after = arenaTargets('a')
      after.at('a').bytes = there
      const again = await Arena.open(...files, { ...options, connectRemote: after.connector })
      t.ok(replicaOf(there).sequence <= (again.checkpoints.at(-1)?.sequence ?? -1))
      sameBytes(t, replicaOf(after.at('a').bytes).content, contentOf(again), 'the replica')
      await again.close()
    }
  }
  t.ok(looked > 12)
})

t.test(
  'a checkpoint that a replica misses is durable here and fails, and its repetition says when the replica has it',
  async t => {
    const { create, at, there } = bed(t, 'a')
    const arena = await create()
    at('a').die(lost('a'))
    store(arena, 5, 5)
    const error = await arena.checkpoint().catch((error: unknown) => error)
    t.ok(error instanceof PersistError)
    t.match(error, { code: 'ERR_PERSIST', durability: 'local', causes: [{ replica: 'a arena.set' }] })
    await synced(arena)
    const receipt = await arena.checkpoint()
    t.strictSame(receipt, { sequence: 1, pages: 0, durableOn: ['local', 'a arena.set'] })
    sameBytes(t, there('a').content, contentOf(arena), 'the content')
  },
)

t.test('with degrade the arena goes on without a replica, which gets what it missed when it is back', async t => {
  const { create, at, there, states } = bed(t, 'a', 'b')
  const arena = await create({ onReplicaLost: 'degrade' })
  at('a').refusing = lost('a')
  at('a').die(lost('a'))
  for (let round = 1; round <= 30; round++) {
    store(arena, round, round, 50)
    const { durableOn } = await arena.checkpoint({ ratio: 0.1 })
    t.strictSame(durableOn, ['local', 'b arena.set'])
  }
  const before = at('a').bytes.slice()
  t.equal(replicaOf(before).sequence, 0)
  at('a').refusing = undefined
  await synced(arena)
  t.equal(states[0], 'lost')
  t.strictSame(states.slice(-3), ['connecting', 'syncing', 'synced'])
  store(arena, 99, 1)
  t.strictSame((await arena.checkpoint()).durableOn, ['local', 'a arena.set', 'b arena.set'])
  for (const name of ['a', 'b']) sameBytes(t, there(name).content, contentOf(arena), 'the content')
})

t.test('an arena is not opened without a replica that it needs, and its files are free again', async t => {
  const { create, at, open, options } = bed(t, 'a')
  await (await create()).close()
  at('a').refusing = lost('a')
  await t.rejects(open(options), { code: 'ERR_TARGET_LOST' })
  const degraded = await open({ ...options, onReplicaLost: 'degrade' })
  t.match(degraded.replicas, [{ name: 'a arena.set', state: 'lost', error: { code: 'ERR_TARGET_LOST' } }])
})

t.test('a replica of another arena is refused and stays as it is', async t => {
  const { create, at, options, folder } = bed(t, 'a')
  await (await create()).close()
  const before = at('a').bytes.slice()
  const other = Arena.open(join(folder, 'other'), join(folder, 'other.log'), { ...options, size: MiB })
  await t.rejects(other, { code: 'ERR_REPLICA_STRANGER' })
  sameBytes(t, at('a').bytes, before, 'what the target holds')
})

t.test('a replica that is ahead of an old copy of the arena is refused', async t => {
  const { create, open, options, data, log, folder } = bed(t, 'a')
  const arena = await create()
  await arena.close()
  const [oldData, oldLog] = [join(folder, 'old'), join(folder, 'old.log')]
  cpSync(data, oldData)
  cpSync(log, oldLog)
  const again = await open(options)
  store(again, 1, 1)
  await again.checkpoint()
  await again.close()
  await t.rejects(Arena.open(oldData, oldLog, options), { code: 'ERR_REPLICA_AHEAD' })
})

t.test('an arena that outgrows its replica says so, and keeps what it has', async t => {
  const { create, there, at } = bed(t, 'a')
  const arena = await create({ size: 4 * MiB })
  store(arena, 1, 1)
  await arena.checkpoint()
  await arena.extend(64 * MiB)
  for (let page = 0; page < 16_000; page++) arena.view(page * pageSize, 1)[0] = 1
  await t.rejects(arena.checkpoint(), { code: 'ERR_PERSIST', durability: 'local' })
  t.match(arena.replicas, [{ error: { code: 'ERR_DISK_FULL' } }])
  t.equal(there('a').sequence, 1)
  t.ok(at('a').bytes.length > 0)
})

t.test('a replica that has room for more takes an arena that grows', async t => {
  const { create, there } = bed(t, 'a')
  const arena = await create({ replicaCapacity: 4 * MiB })
  await arena.extend(2 * MiB)
  store(arena, 3, 300)
  t.strictSame((await arena.checkpoint()).durableOn, ['local', 'a arena.set'])
  sameBytes(t, there('a').content, contentOf(arena), 'the content')
  t.equal(load(arena, 300), 3)
})

t.test('replicas that make no sense are refused before anything happens', async t => {
  const { data, log, options } = bed(t, 'a')
  for (const wrong of [
    { replicas: ['a'] },
    { replicas: ['a b c'] },
    { replicas: ['a arena.set', 'a arena.set'] },
    { onReplicaLost: 'sometimes' as 'throw' },
    { connectRemote: undefined as never },
  ]) {
    await t.rejects(Arena.open(data, log, { size: MiB, ...options, ...wrong }), { code: 'ERR_ARGUMENT' })
  }
  t.throws(() => Arena.openSync(data, log, { size: MiB, ...options }), { code: 'ERR_ARGUMENT' })
})
