import fc from 'fast-check'
import t from 'tap'
import { KiB, MiB, pageSize, seededRandom } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import { DirtyMap } from '../../pool/dirty-map.js'

const base = '0123456789abcdef0123456789abcdef'
const poolSize = 40 * MiB + 100
const pages = Math.ceil(poolSize / pageSize)

const fresh = (method: 'msync' | 'dax' = 'msync') => {
  const memory = new BufferMemory(DirtyMap.sizeFor(poolSize), { method })
  return { memory, map: DirtyMap.format(memory, poolSize, base) }
}

/** What the next process finds after the machine lost its power. */
function afterPowerFailure(memory: BufferMemory, bytes = memory.afterPowerFailure()): BufferMemory {
  const next = new BufferMemory(memory.size, { method: memory.method })
  next.copyIn(0, bytes)
  return next
}
const dirtyPages = (map: DirtyMap) =>
  [...map.ranges()].flatMap(({ offset, length }) =>
    Array.from({ length: Math.ceil(length / pageSize) }, (_, at) => offset / pageSize + at),
  )

t.test('a new map is empty, and stays so for the next process', t => {
  const { memory, map } = fresh()
  t.ok(map.isEmpty)
  const next = DirtyMap.load(afterPowerFailure(memory), poolSize)
  t.ok(next.isEmpty)
  t.equal(next.base, base)
  t.end()
})

t.test('every page that a range touches is dirty, and no other', t => {
  const { map } = fresh()
  map.mark(pageSize - 1, 2)
  map.mark(10 * pageSize, pageSize)
  map.mark(20 * pageSize, 0)
  t.strictSame(dirtyPages(map), [0, 1, 10])
  t.equal(map.dirtyBytes, 3 * pageSize)
  t.ok(map.isDirty(pageSize) && !map.isDirty(2 * pageSize))
  t.end()
})

t.test('the last page of a pool ends where the pool ends', t => {
  const { map } = fresh()
  map.mark(poolSize - 1, 1)
  t.strictSame([...map.ranges()], [{ offset: (pages - 1) * pageSize, length: 100 }])
  map.clear((pages - 1) * pageSize, 100)
  t.ok(map.isEmpty)
  t.end()
})

t.test('runs of dirty pages come in order and no longer than asked for', t => {
  const { map } = fresh()
  map.mark(16 * MiB - 8 * KiB, 64 * KiB)
  const ranges = [...map.ranges(20 * KiB)]
  t.strictSame(
    ranges.map(({ length }) => length / KiB),
    [20, 20, 20, 4],
  )
  t.equal(ranges[0]?.offset, 16 * MiB - 8 * KiB)
  t.end()
})

t.test('a page that was proved in part only stays dirty', t => {
  const { map } = fresh()
  map.mark(0, 3 * pageSize)
  map.clear(1, 2 * pageSize)
  t.strictSame(dirtyPages(map), [0, 2])
  t.end()
})

t.test('what was marked is durable when mark returns', t => {
  const { memory, map } = fresh()
  map.mark(5 * pageSize, 1)
  map.mark(30 * MiB, 1)
  t.strictSame(dirtyPages(DirtyMap.load(afterPowerFailure(memory), poolSize)), [5, (30 * MiB) / pageSize])
  t.end()
})

t.test('a reset forgets every page, durably, and the map starts from the new generation', t => {
  const { memory, map } = fresh()
  map.markAll()
  t.equal(dirtyPages(map).length, pages)
  const next = 'f'.repeat(32)
  map.reset(next)
  const loaded = DirtyMap.load(afterPowerFailure(memory), poolSize)
  t.ok(loaded.isEmpty)
  t.equal(loaded.base, next)
  loaded.mark(7 * pageSize, 1)
  t.strictSame(dirtyPages(loaded), [7], 'old bits do not come back with the chunk that held them')
  t.end()
})

t.test('a map of another pool size, or with a damaged header, counts as dirty throughout', t => {
  const { memory } = fresh()
  const other = DirtyMap.load(afterPowerFailure(memory), poolSize - pageSize)
  t.equal(dirtyPages(other).length, pages - 1)
  for (let at = 0; at < 64; at++) {
    const damaged = afterPowerFailure(memory)
    damaged.fill(at, (damaged.view(at, 1)[0] ?? 0) ^ 0x40, 1)
    const map = DirtyMap.load(damaged, poolSize)
    if (dirtyPages(map).length !== pages || map.base === base) t.fail(`byte ${at}`)
  }
  t.pass('each byte of the header')
  t.end()
})

t.test('a failure of the storage is thrown, and thrown again', t => {
  const { memory, map } = fresh()
  memory.refuseNext()
  t.throws(() => map.mark(0, 1), { code: 'ERR_MSYNC' })
  t.throws(() => map.mark(MiB, 1))
  t.end()
})

t.test('no crash and no torn write hides a page that was marked (seed 1905)', t => {
  const place = fc.record({ page: fc.nat(pages - 1), count: fc.integer({ min: 1, max: 9 }) })
  const step = fc.oneof(
    { weight: 4, arbitrary: place.map(at => ({ kind: 'mark' as const, ...at })) },
    { weight: 2, arbitrary: place.map(at => ({ kind: 'clear' as const, ...at })) },
    fc.constant({ kind: 'reset' as const, page: 0, count: 0 }),
    fc.constant({ kind: 'crash' as const, page: 0, count: 0 }),
  )
  const random = seededRandom(1905)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(), (steps, _) => {
      let { memory, map } = fresh()
      let model = new Set<number>()
      for (const { kind, page, count } of steps) {
        const before = memory.afterPowerFailure()
        if (kind === 'reset') {
          map.reset(base)
          model = new Set()
        } else if (kind === 'crash') {
          // The last step may have reached the media in any mixture of its words: play it once more and tear it.
          map.mark(page, pageSize)
          memory = afterPowerFailure(memory, torn(before, memory.afterPowerFailure(), random.bytes(64)))
          map = DirtyMap.load(memory, poolSize)
          if (![...model].every(one => map.isDirty(one * pageSize))) return false
          model = new Set(dirtyPages(map))
        } else {
          for (let one = page; one < Math.min(page + count, pages); one++) {
            if (kind === 'mark') model.add(one)
            else model.delete(one)
          }
          map[kind](page * pageSize, Math.min(count * pageSize, poolSize - page * pageSize))
        }
        if (kind !== 'crash' && dirtyPages(map).length !== model.size) return false
      }
      return [...model].every(one => map.isDirty(one * pageSize))
    }),
    { seed: 1905, numRuns: 300 },
  )
  t.pass('300 histories')
  t.end()
})

/** Each aligned word of 8 bytes is the old one or the new one. */
function torn(before: Uint8Array, after: Uint8Array, choice: Uint8Array): Uint8Array {
  const mixed = after.slice()
  for (let word = 0; word * 8 < mixed.length; word++) {
    const old = ((choice[(word >> 3) % choice.length] ?? 0) >> (word & 7)) & 1
    if (old) mixed.set(before.subarray(word * 8, word * 8 + 8), word * 8)
  }
  return mixed
}
