import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB, pageSize, systemClock } from '../../core/index.js'
import { Arena, type ArenaOptions, ManagedArena } from '../../index.js'
import { startRemoteNode } from '../fixture/remote-node.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

const clock = {
  nowMs: systemClock.nowMs,
  after: (ms: number, call: () => void) => systemClock.after(ms, call, 'holds'),
}

async function bed(t: Test) {
  const node = await startRemoteNode(t)
  node.writeSet('arena.set', 'PMEMPOOLSET\n12M PARTS/one.part\n12M PARTS/two.part\n')
  const folder = temporaryFolder(t)
  const [data, log] = [join(folder, 'data'), join(folder, 'log')]
  const options: ArenaOptions = {
    size: 2 * MiB,
    replicas: [`${node.address} arena.set`],
    remote: node.options,
    clock,
  }
  const open = async (more: ArenaOptions = {}) => {
    const arena = await Arena.open(data, log, { ...options, ...more })
    t.teardown(() => arena.close())
    return arena
  }
  return { node, data, log, options, open, set: join(node.pools, 'arena.set') }
}

const contentOf = (arena: Pick<Arena, 'view' | 'size'>): Buffer => Buffer.from(arena.view(0, arena.size))

function write(arena: Arena, round: number): void {
  for (const page of [round, 100 + round, 300]) {
    arena.view(page * pageSize, pageSize).fill(round)
    arena.mark(page * pageSize, pageSize)
  }
}

async function synced(arena: Arena): Promise<void> {
  while (arena.replicas.some(({ state }) => state !== 'synced')) await once(arena, 'replica-state')
}

t.test('on the target the files open as an arena of the same content', async t => {
  const { open, set } = await bed(t)
  const arena = await open()
  t.ok(arena instanceof Arena)
  for (let round = 1; round <= 20; round++) {
    write(arena, round)
    const receipt = await arena.checkpoint({ ratio: 0.05 })
    t.strictSame(receipt.durableOn, ['local', arena.replicas[0]?.name])
  }
  const content = contentOf(arena)
  t.match(arena.replicas, [{ state: 'synced', sequence: 20, transport: { provider: 'tcp' } }])
  await t.rejects(Arena.openReplica(set), { code: 'ERR_POOL_BUSY' })
  await arena.close()
  const snapshot = await Arena.openReplica(set)
  t.equal(snapshot.sequence, 20)
  sameBytes(t, Buffer.from(snapshot.view(0, snapshot.size)), content, 'the content on the target')
  snapshot.close()
})

t.test(
  'a daemon that is killed again and again leaves a replica that is at a checkpoint, and comes back in step',
  async t => {
    const { node, open, set } = await bed(t)
    const arena = await open({ onReplicaLost: 'degrade' })
    let round = 0
    for (let life = 0; life < 4; life++) {
      for (const end = round + 4; round < end; ) {
        write(arena, ++round)
        await arena.checkpoint({ ratio: 0.05 })
      }
      process.kill(node.daemon(), 'SIGKILL')
      for (const end = round + 4; round < end; ) {
        write(arena, ++round)
        await arena.checkpoint({ ratio: 0.05 })
      }
      await synced(arena)
    }
    const content = contentOf(arena)
    await arena.close()
    const snapshot = await Arena.openReplica(set)
    t.equal(snapshot.sequence, round)
    sameBytes(t, Buffer.from(snapshot.view(0, snapshot.size)), content, 'the content on the target')
    snapshot.close()
  },
)

t.test('a promoted replica goes on by itself, and its old arena is refused', async t => {
  const { open, set, options, data, log } = await bed(t)
  const arena = await open()
  write(arena, 1)
  await arena.checkpoint()
  const content = contentOf(arena)
  await arena.close()
  const promoted = await Arena.promote(set)
  sameBytes(t, contentOf(promoted), content, 'what was promoted')
  for (let round = 2; round < 12; round++) {
    write(promoted, round)
    t.strictSame((await promoted.checkpoint({ ratio: 0.05 })).durableOn, ['local'])
  }
  const later = contentOf(promoted)
  await promoted.close()
  await t.rejects(Arena.open(data, log, options), { code: 'ERR_REPLICA_DIVERGED' })
  const again = await Arena.promote(set)
  t.equal(again.checkpoints.at(-1)?.sequence, 11)
  sameBytes(t, contentOf(again), later, 'what was written since')
  await again.close()
})

t.test('a managed arena is mirrored with its heap and its roots', async t => {
  const { options, data, log, set } = await bed(t)
  const words = readFileSync(new URL(import.meta.url)).subarray(0, 1000)
  const arena = await ManagedArena.open(data, log, { ...options, maxSize: 2 * MiB })
  t.ok(arena instanceof ManagedArena)
  const block = arena.malloc(words.length)
  block.set(words)
  arena.setRoot(3, arena.offsetOf(block))
  await arena.checkpoint()
  await arena.close()
  const promoted = await ManagedArena.promote(set)
  t.ok(promoted.check().consistent)
  sameBytes(t, promoted.view(promoted.root(3), words.length), words, 'the block of root 3')
  await promoted.close()
})

t.test('a target without the pool set, or without room, is an error before anything is there', async t => {
  const { node, options, data, log } = await bed(t)
  const at = (set: string) => Arena.open(data, log, { ...options, replicas: [`${node.address} ${set}`] })
  await t.rejects(at('other.set'), { code: 'ERR_POOLSET_MISSING' })
  node.writeSet('small.set', 'PMEMPOOLSET\n8M PARTS/small.part\n')
  await t.rejects(Arena.open(data, log, { ...options, size: 16 * MiB, replicas: [`${node.address} small.set`] }), {
    code: 'ERR_POOL_SIZE',
  })
  t.strictSame(node.partFiles(), [])
})
