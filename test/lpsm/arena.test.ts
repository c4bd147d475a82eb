import { once } from 'node:events'
import { closeSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import t from 'tap'
import { pageSize } from '../../core/index.js'
import { Arena } from '../../lpsm/index.js'
import { arenaBed, load, store } from './arena-bed.js'

t.test('a new arena is full of zeros, at checkpoint 0, and as large as was asked for, in whole pages', async t => {
  const arena = await arenaBed(t).create({ size: 5 * pageSize - 1 })
  t.equal(arena.size, 5 * pageSize)
  t.ok(arena.view(0, arena.size).every(byte => byte === 0))
  t.match(arena.checkpoints, [{ sequence: 0, size: 5 * pageSize, pages: undefined }])
})

t.test('what was declared consistent is found again, and nothing that was stored later', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create()
  store(arena, 1, 0, 7, 63)
  t.same(await arena.checkpoint(), { sequence: 1, pages: 3, durableOn: ['local'] })
  store(arena, 2, 7)
  t.same(arena.checkpointSync(), { sequence: 2, pages: 1, durableOn: ['local'] })
  store(arena, 3, 0, 1)
  await arena.close()
  const again = await bed.open()
  t.same(
    [0, 1, 7, 63].map(page => load(again, page)),
    [1, 0, 2, 1],
  )
})

t.test('a checkpoint is what the memory was when it was declared', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create()
  store(arena, 1, 3)
  const declared = arena.checkpoint()
  store(arena, 2, 3)
  await declared
  await arena.close()
  t.equal(load(await bed.open(), 3), 1)
})

t.test('without a change there is no new checkpoint', async t => {
  const arena = await arenaBed(t).create()
  t.same(await arena.checkpoint(), { sequence: 0, pages: 0, durableOn: ['local'] })
  store(arena, 1, 1)
  await arena.checkpoint()
  t.same(await arena.checkpoint(), { sequence: 1, pages: 0, durableOn: ['local'] })
})

t.test('checkpoints that are declared at once are durable in their order, however they are waited for', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create({ keep: 100 })
  const declared = Array.from({ length: 10 }, (_, at) => {
    store(arena, at + 1, at, 20)
    return arena.checkpoint()
  })
  store(arena, 99, 20)
  t.equal(arena.checkpointSync().sequence, 11)
  t.same(
    (await Promise.all(declared)).map(({ sequence }) => sequence),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  for (let sequence = 1; sequence <= 10; sequence++) {
    const past = await arena.openCheckpoint(sequence)
    t.same([load(past, 20), load(past, sequence - 1), load(past, sequence)], [sequence, sequence, 0])
    past.close()
  }
})

t.test('an asynchronous checkpoint goes on when the one before is durable', async t => {
  const arena = await arenaBed(t).create()
  store(arena, 1, 1)
  const first = await arena.checkpoint({ wait: 'async' })
  store(arena, 2, 1)
  const second = await arena.checkpoint({ wait: 'async' })
  t.match([first.sequence, second.sequence], [1, 2])
  t.equal(arena.checkpoints.at(-1)?.sequence, 1, 'the second one is not durable yet')
  t.same(await second.durable, { sequence: 2, pages: 1, durableOn: ['local'] })
})

t.test('a log that passes its share is folded into the data file and does not grow for ever', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create({ ratio: 0.25 })
  const folded = once(arena, 'folded')
  for (let round = 1; round <= 300; round++) {
    store(arena, round % 256, round % 64, (round * 7) % 64)
    await arena.checkpoint()
  }
  await folded
  t.ok(arena.logBytes < 4 * arena.size, `${arena.logBytes} bytes`)
  await arena.close()
  const again = await bed.open()
  t.equal(again.checkpoints.at(-1)?.sequence, 300)
  for (let page = 0; page < 64; page++) t.equal(load(again, page), lastRound(page) % 256)
})

const lastRound = (page: number): number => {
  for (let round = 300; round > 0; round--) if (round % 64 === page || (round * 7) % 64 === page) return round
  return 0
}

t.test('a program that never returns to the event loop does not make the log grow for ever', async t => {
  const arena = await arenaBed(t).create({ ratio: 0.25 })
  for (let round = 1; round <= 2000; round++) {
    store(arena, round % 256, round % 64, (round * 7) % 64)
    arena.checkpointSync()
  }
  t.ok(arena.logBytes < 4 * arena.size, `${arena.logBytes} bytes`)
})

t.test('a ratio of 0 folds after each checkpoint', async t => {
  const arena = await arenaBed(t).create()
  store(arena, 1, 1)
  const folded = once(arena, 'folded')
  await arena.checkpoint({ ratio: 0 })
  t.same(await folded, [1])
  t.match(arena.checkpoints, [{ sequence: 1, pages: undefined }])
})

t.test('an arena grows, views stay, and the new size is that of the next checkpoint', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create()
  const view = arena.view(0, 1)
  await arena.extend(100 * pageSize - 1)
  t.equal(arena.size, 100 * pageSize)
  t.equal(view.length, 1)
  await arena.close()
  const small = await bed.open()
  t.equal(small.size, 64 * pageSize, 'no checkpoint followed')
  small.extendSync(100 * pageSize)
  store(small, 5, 99)
  small.checkpointSync()
  await small.close()
  const large = await bed.open({ size: 10 })
  t.equal(large.size, 100 * pageSize)
  t.equal(load(large, 99), 5)
  await large.close()
  t.equal((await bed.open({ size: 120 * pageSize })).size, 120 * pageSize, 'a smaller one is enlarged')
})

t.test('the last checkpoints can be opened and restored, and no others', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create({ keep: 3, ratio: 0 })
  for (let round = 1; round <= 9; round++) {
    store(arena, round, 0, round)
    await arena.checkpoint()
  }
  t.same(
    arena.checkpoints.map(({ sequence }) => sequence),
    [7, 8, 9],
  )
  const past = await arena.openCheckpoint(7)
  t.same([past.sequence, past.size, load(past, 0), load(past, 7), load(past, 8)], [7, arena.size, 7, 7, 0])
  await t.rejects(arena.openCheckpoint(6), { code: 'ERR_CHECKPOINT_UNKNOWN' })
  await t.rejects(arena.restore(10), { code: 'ERR_CHECKPOINT_UNKNOWN' })
  store(arena, 77, 30)
  t.match(await arena.restore(7), { sequence: 10 })
  t.same(
    [0, 7, 8, 9, 30].map(page => load(arena, page)),
    [7, 7, 0, 0, 0],
  )
  for (let round = 11; round <= 20; round++) {
    store(arena, round, 0)
    await arena.checkpoint()
  }
  t.equal(load(past, 0), 7, 'an open checkpoint stays what it is')
  past.close()
  t.equal(past.closed, true)
  t.throws(() => past.view(0, 1), { code: 'ERR_CLOSED' })
  await arena.close()
  const again = await bed.open({ keep: 3 })
  t.equal(again.checkpoints.length, 3)
  t.match(await again.restore(18), { sequence: 21 })
  t.equal(load(again, 0), 18)
})

t.test('recover brings the data file up to date and cuts the log, so that it can be left out', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create({ keep: 5 })
  for (let round = 1; round <= 9; round++) {
    store(arena, round, 0, round)
    await arena.checkpoint()
  }
  await arena.close()
  const progress: number[] = []
  const result = await Arena.recover(bed.data, bed.log, { onProgress: ({ doneBytes }) => progress.push(doneBytes) })
  t.match(result, { sequence: 9, pages: 10, logSize: 3 * pageSize })
  t.equal(progress.at(-1), 10 * pageSize)
  t.equal(statSync(bed.log).size, result.logSize)
  t.match(await Arena.recover(bed.data, bed.log), { sequence: 9, pages: 0, logSize: 3 * pageSize })
  rmSync(bed.log)
  const again = await bed.open()
  t.same(
    [0, 1, 9].map(page => load(again, page)),
    [9, 1, 9],
  )
  t.equal(again.checkpoints.at(-1)?.sequence, 9)
})

t.test('without its log a data file that is not up to date is not opened', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create()
  store(arena, 1, 1)
  await arena.checkpoint()
  await arena.close()
  rmSync(bed.log)
  await t.rejects(bed.open({ size: pageSize }), { code: 'ERR_ARENA_MISSING' })
})

t.test('a log without its data file is not opened, nor is anything made in its place', async t => {
  const bed = arenaBed(t)
  await (await bed.create()).close()
  rmSync(bed.data)
  await t.rejects(bed.create(), { code: 'ERR_ARENA_MISSING' })
  t.equal(statSync(bed.data, { throwIfNoEntry: false }), undefined)
})

t.test('nothing is made without a size', async t => {
  const bed = arenaBed(t)
  await t.rejects(bed.open(), { code: 'ERR_ARENA_MISSING' })
  await t.rejects(Arena.check(bed.data, bed.log), { code: 'ERR_ARENA_MISSING' })
})

t.test('the log of another arena, and what is no file of an arena, are refused and left alone', async t => {
  const one = arenaBed(t)
  const other = arenaBed(t)
  await (await one.create()).close()
  await (await other.create()).close()
  await t.rejects(Arena.open(one.data, other.log), { code: 'ERR_ARENA_FOREIGN' })
  await t.rejects(Arena.open(one.log, one.data), { code: 'ERR_ARENA_FOREIGN' })
  const text = `${one.folder}/text`
  writeFileSync(text, 'somebody else’s')
  await t.rejects(Arena.open(text, `${one.folder}/new`, { size: pageSize }), { code: 'ERR_ARENA_FOREIGN' })
  await t.rejects(Arena.open(one.data, text), { code: 'ERR_ARENA_FOREIGN' })
  t.equal(statSync(text).size, 17)
})

t.test('an arena is open once, and several are open at once', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create()
  await t.rejects(bed.open(), { code: 'ERR_ARENA_BUSY' })
  await t.rejects(Arena.check(bed.data, bed.log), { code: 'ERR_ARENA_BUSY' })
  await t.rejects(Arena.open(bed.data, `${bed.folder}/other`, { size: 1 }), { code: 'ERR_ARENA_BUSY' })
  const other = await arenaBed(t).create()
  store(arena, 1, 1)
  store(other, 2, 1)
  await Promise.all([arena.checkpoint(), other.checkpoint()])
  t.same([load(arena, 1), load(other, 1)], [1, 2])
  await arena.close()
  await (await bed.open()).close()
})

t.test('close waits for what was declared, takes views away, and is the end', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create()
  const view = arena.view(0, 8)
  store(arena, 1, 1)
  const declared = arena.checkpoint()
  await Promise.all([arena.close(), arena.close(), arena.shutdown()])
  t.match(await declared, { sequence: 1 })
  t.equal(view.length, 0)
  t.equal(arena.closed, true)
  t.throws(() => arena.view(0, 1), { code: 'ERR_CLOSED' })
  t.throws(() => arena.checkpointSync(), { code: 'ERR_CLOSED' })
  for (const call of [
    arena.checkpoint(),
    arena.checkpoint({ wait: 'async' }),
    arena.extend(1e6),
    arena.restore(0),
    arena.openCheckpoint(0),
  ]) {
    await t.rejects(call as Promise<unknown> as Promise<void>, { code: 'ERR_CLOSED' })
  }
  arena.closeSync()
  const again = await bed.open()
  t.equal(load(again, 1), 1)
  store(again, 2, 1)
  again.closeSync()
  again.closeSync()
  t.equal(load(await bed.open(), 1), 1)
})

t.test('arguments are checked', async t => {
  const bed = arenaBed(t)
  for (const options of [
    { size: 0 },
    { size: -1 },
    { size: 1.5 },
    { keep: 0 },
    { ratio: -1 },
    { ratio: Number.NaN },
    { ratio: 17 },
    { size: 8192, maxSize: 4096 },
  ]) {
    await t.rejects(bed.create(options), { code: 'ERR_ARGUMENT' }, JSON.stringify(options))
  }
  await t.rejects(Arena.open('', bed.log), { code: 'ERR_ARGUMENT' })
  await t.rejects(Arena.open(bed.data, bed.data), { code: 'ERR_ARGUMENT' })
  await t.rejects(Arena.open(bed.data, 7 as unknown as string), { code: 'ERR_ARGUMENT' })
  const arena = await bed.create()
  await t.rejects(arena.checkpoint({ ratio: -1 }), { code: 'ERR_ARGUMENT' })
  await t.rejects(arena.checkpoint({ wait: 'later' as 'sync' }), { code: 'ERR_ARGUMENT' })
  await t.rejects(arena.extend(0), { code: 'ERR_ARGUMENT' })
  t.throws(() => arena.view(0, arena.size + 1), { code: 'ERR_RANGE' })
})

t.test('a data file that was cut off is damaged, and says where', async t => {
  const bed = arenaBed(t)
  await (await bed.create()).close()
  truncateSync(bed.data, 20 * pageSize + 100)
  await t.rejects(bed.open(), { code: 'ERR_ARENA_DAMAGED', damage: { whole: [] } })
  const { damage } = await Arena.check(bed.data, bed.log)
  t.match(damage?.findings[0], { file: 'data', offset: 20 * pageSize + 100 })
})

t.test('a damaged page that only an older checkpoint has is found if that one is kept', async t => {
  const bed = arenaBed(t)
  const arena = await bed.create({ keep: 2 })
  store(arena, 1, 3)
  await arena.checkpoint()
  await arena.close()
  const file = openSync(bed.data, 'r+')
  writeSync(file, 'x', 2 * pageSize + 3 * pageSize)
  closeSync(file)
  await t.rejects(bed.open({ keep: 2 }), { code: 'ERR_ARENA_DAMAGED', damage: { whole: [1] } })
  t.equal(load(await bed.open(), 3), 1)
})

t.test(
  'of two that make the same arena at once, one is refused, and what a killed attempt left is used again',
  async t => {
    const bed = arenaBed(t)
    writeFileSync(`${bed.data}.arena-new`, 'half a header')
    const attempts = await Promise.allSettled([bed.create(), bed.create()])
    t.same(attempts.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    t.match(
      attempts.find(({ status }) => status === 'rejected'),
      { reason: { code: 'ERR_ARENA_BUSY' } },
    )
    t.same(readdirSync(bed.folder).sort(), ['data', 'log'])
  },
)
