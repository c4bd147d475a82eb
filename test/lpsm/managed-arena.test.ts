import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { trackings } from '../../fabric-native/index.js'
import { Arena, type ArenaOptions, ManagedArena } from '../../lpsm/index.js'
import { arenaBed } from './arena-bed.js'
import { SlotTable } from './slot-table.js'

const MiB = 1024 * 1024

function managedBed(t: Test) {
  const { data, log } = arenaBed(t)
  const open = async (options: ArenaOptions = {}): Promise<ManagedArena> => {
    const managed = await ManagedArena.open(data, log, { size: 2 * MiB, ...options })
    t.teardown(() => managed.close())
    return managed
  }
  return { data, log, open }
}

t.test('blocks and roots are found again as they were at the checkpoint', async t => {
  const { open } = managedBed(t)
  const first = await open()
  t.same(
    Array.from({ length: 32 }, (_, index) => first.root(index)),
    Array.from({ length: 32 }, () => 0),
  )
  const block = first.malloc(100)
  block.fill(7)
  first.setRoot(0, first.offsetOf(block))
  first.setRoot(31, 2 ** 53 - 1)
  await first.checkpoint()
  block.fill(8)
  first.setRoot(31, 5)
  first.malloc(5000)
  await first.close()
  const second = await open()
  t.equal(second.root(31), 2 ** 53 - 1)
  t.ok(second.view(second.root(0), 100).every(byte => byte === 7))
  t.ok(second.usableSizeAt(second.root(0)) >= 100)
  t.ok(second.check().consistent)
  second.freeOffset(second.root(0))
  t.throws(() => second.freeOffset(second.root(0)), { code: 'ERR_HEAP_FREED' })
})

t.test('malloc, zalloc, calloc, realloc and free are those of C', async t => {
  const { open } = managedBed(t)
  const managed = await open()
  t.equal(managed.malloc(10).length, 10)
  t.ok(managed.zalloc(5000).every(byte => byte === 0))
  t.equal(managed.calloc(3, 7).length, 21)
  t.throws(() => managed.calloc(2 ** 40, 2 ** 40), { code: 'ERR_HEAP_EXHAUSTED' })
  t.throws(() => managed.calloc(-1, 1), { code: 'ERR_ARGUMENT' })
  const grown = managed.realloc(managed.realloc(null, 3)?.fill(9) ?? null, 70_000)
  t.same([...(grown?.subarray(0, 3) ?? [])], [9, 9, 9])
  t.equal(managed.realloc(grown, 0), null)
  t.throws(() => managed.free(grown), { code: 'ERR_HEAP_FREED' })
  t.throws(() => managed.free(Buffer.alloc(3)), { code: 'ERR_HEAP_POINTER' })
  managed.free(null)
  const offset = managed.mallocOffset(64)
  t.equal(managed.reallocOffset(offset, 0), 0)
  t.throws(() => managed.view(offset), { code: 'ERR_HEAP_FREED' })
  for (const wrong of [-1, 0.5, 2 ** 53]) t.throws(() => managed.view(wrong, 1), { code: 'ERR_RANGE' })
  for (const wrong of [-1, 32, 0.5]) {
    t.throws(() => managed.root(wrong), { code: 'ERR_ARGUMENT' })
    t.throws(() => managed.setRoot(wrong, 0), { code: 'ERR_ARGUMENT' })
  }
  for (const wrong of [-1, 0.5, 2 ** 53, '1']) {
    t.throws(() => managed.setRoot(0, wrong as number), { code: 'ERR_ARGUMENT' })
  }
  t.equal(managed.allocStats().large.live, 1, 'the 5000 bytes of zalloc')
})

t.test('a heap that is full extends its arena, as far as it was made for', async t => {
  const { open } = managedBed(t)
  const first = await open({ maxSize: 12 * MiB })
  const early = first.malloc(1000).fill(1)
  const late = first.malloc(6 * MiB).fill(2)
  t.ok(first.arena.size > 8 * MiB)
  t.equal(early[999], 1, 'Buffers stay')
  first.setRoot(0, first.offsetOf(late))
  await first.checkpoint()
  t.throws(() => first.malloc(8 * MiB), { code: 'ERR_HEAP_EXHAUSTED' })
  await first.close()
  const second = await open()
  t.ok(second.view(second.root(0), 6 * MiB).every(byte => byte === 2))
  t.ok(second.check().consistent)
  t.throws(() => second.malloc(8 * MiB), { code: 'ERR_HEAP_EXHAUSTED' }, 'the limit is kept with it')
  second.freeOffset(second.root(0))
  t.ok(second.malloc(7 * MiB))
})

t.test('growth without a checkpoint is forgotten by a crash, and the heap is whole', async t => {
  const { open } = managedBed(t)
  const first = await open()
  first.malloc(5 * MiB)
  await first.close()
  const second = await open()
  t.equal(second.arena.size, 2 * MiB)
  t.ok(second.check().consistent)
  t.ok(second.malloc(5 * MiB).fill(1))
  t.ok(second.check().consistent)
})

t.test('an arena that was made larger gives its heap the room', async t => {
  const { open } = managedBed(t)
  await (await open({ maxSize: 32 * MiB })).close()
  const managed = await open({ size: 8 * MiB })
  t.ok(managed.malloc(5 * MiB))
  t.equal(managed.arena.size, 8 * MiB)
})

t.test('a restored checkpoint has its blocks, and what came later is gone', async t => {
  const { open } = managedBed(t)
  const managed = await open({ keep: 8 })
  const table = new SlotTable(managed, 3)
  for (let step = 0; step < 40; step++) table.advance()
  const { sequence } = await managed.checkpoint()
  for (let round = 0; round < 3; round++) {
    for (let step = 0; step < 20; step++) table.advance()
    await managed.checkpoint()
  }
  const restoring = managed.restore(sequence)
  t.throws(() => managed.malloc(1), { code: 'ERR_CLOSED' })
  await restoring
  t.equal(table.steps, 40)
  t.equal(table.mistake(), undefined)
  for (let step = 0; step < 40; step++) table.advance()
  t.equal(table.mistake(), undefined)
})

t.test('what is no managed arena is refused', async t => {
  const { data, log, open } = managedBed(t)
  const arena = await Arena.open(data, log, { size: 2 * MiB })
  arena.view(5, 1)[0] = 1
  await arena.checkpoint()
  await arena.close()
  await t.rejects(open(), { code: 'ERR_ARENA_FOREIGN' })
})

t.test('after close everything is an error and nothing a crash', async t => {
  const { open } = managedBed(t)
  const managed = await open()
  const buffer = managed.malloc(10)
  await managed.close()
  await managed.close()
  t.equal(buffer.length, 0)
  for (const call of [
    () => managed.malloc(1),
    () => managed.root(0),
    () => managed.setRoot(0, 1),
    () => managed.view(0, 1),
    () => managed.free(buffer),
    () => managed.check(),
    () => managed.allocStats(),
    () => managed.checkpointSync(),
  ])
    t.throws(call, { code: 'ERR_CLOSED' })
  await t.rejects(managed.checkpoint(), { code: 'ERR_CLOSED' })
})

for (const tracking of trackings) {
  t.test(`${tracking}: after every reopening the heap is in order and holds what the checkpoint held`, async t => {
    for (const seed of [1, 2, 3, 4]) {
      const { open } = managedBed(t)
      let durable = 0
      for (let life = 0; life < 12; life++) {
        const managed = await open({ tracking, ratio: 0.1 })
        t.equal(managed.arena.tracking, tracking)
        const table = new SlotTable(managed, seed)
        t.equal(table.steps, durable, `seed ${seed}, life ${life}: it opens at the checkpoint`)
        if (life > 0) t.equal(table.mistake(), undefined, `seed ${seed}, life ${life}`)
        for (let step = 0; step < 25; step++) {
          table.advance()
          if ((step * 7 + life) % 5 !== 0) continue
          durable = table.steps
          if (step % 2 === 0) managed.checkpointSync()
          else await managed.checkpoint({ wait: 'async' }).then(({ durable }) => durable)
        }
        await managed.close()
      }
    }
  })
}

t.test(
  'a program that is killed finds the checkpoint that was confirmed last, or the one that was under way',
  async t => {
    const { data, log, open } = managedBed(t)
    const child = fileURLToPath(new URL('managed-child.js', import.meta.url))
    const seed = 20261128
    let confirmed = 0
    for (let life = 0; life < 30; life++) {
      const lines = 1 + ((life * 37) % 23)
      const process = spawn(globalThis.process.execPath, [child, data, log, `${seed}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const exited = once(process, 'exit')
      let seen = 0
      for await (const line of createInterface({ input: process.stdout })) {
        confirmed = Number(line)
        if (++seen === lines) process.kill('SIGKILL')
      }
      t.same(await exited, [null, 'SIGKILL'])
      const managed = await open()
      const table = new SlotTable(managed, seed)
      const steps = table.steps
      t.ok(
        steps === confirmed || steps === confirmed + 1,
        `life ${life}: step ${steps} after ${confirmed} was confirmed`,
      )
      t.equal(table.mistake(), undefined, `life ${life}`)
      await managed.close()
    }
  },
)
