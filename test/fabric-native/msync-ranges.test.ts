import fc from 'fast-check'
import t from 'tap'
import { MappedFile } from '../fixture/mapped-file.js'
import { Preloaded } from '../fixture/preloaded.js'

const page = 4096
const pages = 64
const observed = new Preloaded(t, 'observed-msync.c')

type Range = readonly [offset: number, length: number]

/** What a child did (msync-ranges-child.ts), and which bytes each step gave to msync. */
function synced(steps: readonly (readonly [string, ...number[]])[]): Range[][] {
  const file = new MappedFile(t, pages * page)
  const child = new URL('msync-ranges-child.js', import.meta.url)
  const { status, stdout, stderr } = observed.run(child, file.path, JSON.stringify(steps))
  t.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

/** Runs of whole pages that cover the ranges, each page once, in order. */
function runsOf(ranges: readonly Range[]): Range[] {
  const dirty = new Set<number>()
  for (const [offset, length] of ranges) {
    for (let at = Math.floor(offset / page); at * page < offset + length; at++) dirty.add(at)
  }
  const runs: [number, number][] = []
  for (const at of [...dirty].sort((left, right) => left - right)) {
    const last = runs.at(-1)
    if (last !== undefined && last[0] + last[1] === at * page) last[1] += page
    else runs.push([at * page, page])
  }
  return runs
}

t.test('persist syncs the whole pages of its range and nothing else', async t => {
  const seen = synced([
    ['persist', 0, 1],
    ['persist', 4095, 2],
    ['persist', 8192, 4096],
    ['deepPersist', 100, 8192],
    ['persist', 50, 0],
  ])
  t.same(seen, [[[0, page]], [[0, 2 * page]], [[2 * page, page]], [[0, 3 * page]], []])
})

t.test('flush waits for the drain, which syncs each page once', async t => {
  const seen = synced([
    ['flush', 64, 64],
    ['flush', 128, 64],
    ['flush', 5 * page, 1],
    ['flush', page, 1],
    ['drain'],
    ['drain'],
  ])
  const drained = [
    [0, 2 * page],
    [5 * page, page],
  ]
  t.same(seen, [[], [], [], [], drained, []])
})

t.test('persist includes what was flushed before it', async t => {
  const seen = synced([['flush', 9 * page, 1], ['persist', 0, 1], ['drain']])
  const persisted = [
    [0, page],
    [9 * page, page],
  ]
  t.same(seen, [[], persisted, []])
})

t.test('noFlush and noDrain leave the work to a later call', async t => {
  const seen = synced([['copyIn', 0, 100, 2], ['copyIn', page, 100, 1], ['drain'], ['copyIn', 0, 100, 0]])
  t.same(seen, [[], [], [[page, page]], [[0, page]]])
})

t.test('any set of flushed ranges is synced as the runs of its pages', async t => {
  const range = fc.tuple(fc.nat(pages * page - 1), fc.oneof(fc.nat(100), fc.nat(6 * page)))
  const batches = fc
    .sample(fc.array(range, { minLength: 1, maxLength: 40 }), { seed: 99, numRuns: 60 })
    .map(batch => batch.map(([at, length]): Range => [at, Math.min(length, pages * page - at)]))
  const seen = synced(
    batches.flatMap(batch => [
      ...batch.map(([offset, length]) => ['flush', offset, length] as const),
      ['drain'] as const,
    ]),
  )
  t.same(
    seen.filter(ranges => ranges.length > 0),
    batches.map(batch => runsOf(batch.filter(([, length]) => length > 0))),
  )
})
