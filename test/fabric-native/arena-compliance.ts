import fc from 'fast-check'
import type { Test } from 'tap'
import { type ArenaMemory, countPages, eachRun, type PageRuns, type Tracking } from '../../fabric-native/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { pattern } from './memory-compliance.js'

/** What an implementation of the seam of tracked memory brings along to be examined. */
export interface ArenaBed {
  readonly name: string
  readonly tracking: Tracking
  /** A memory whose data file holds `content` and zeros behind it; `grow` makes the file longer, then the memory. */
  open(t: Test, shape: ArenaShape): ArenaMemory
  grow(memory: ArenaMemory, size: number): void
}

export interface ArenaShape {
  readonly size: number
  readonly reservation: number
  readonly content?: Uint8Array
}

const page = 4096
const pages = 64
const size = pages * page

/** Every implementation of ArenaMemory passes this kit. */
export function arenaCompliance(t: Test, bed: ArenaBed): void {
  const open = (t: Test, content?: Uint8Array): ArenaMemory => {
    const memory = bed.open(t, { size, reservation: 4 * size, ...(content && { content }) })
    t.teardown(() => memory.close())
    return memory
  }
  /** What a program owes to tracking by marking. */
  const tell = (memory: ArenaMemory, offset: number, length: number): void => {
    if (bed.tracking === 'marking') memory.mark(offset, length)
  }

  t.test(`${bed.name}: a new memory holds its file, clean, and says how it is tracked`, async t => {
    const content = pattern(3 * page)
    const memory = open(t, content)
    t.match(memory, { size, tracking: bed.tracking, closed: false })
    t.equal(memory.failure, undefined)
    sameBytes(t, memory.view(0, content.length), content, 'the file')
    t.equal(memory.view(size - 1, 1)[0], 0)
    t.same([...memory.takeDirty()], [], 'reading is not changing')
    t.same(
      memory.trackingReasons.filter(reason => reason.chosen).map(reason => reason.tracking),
      [bed.tracking],
    )
    for (const { why } of memory.trackingReasons) t.match(why, /^\S.*[^.]$/)
  })

  for (const [name, store] of Object.entries(stores)) {
    t.test(`${bed.name}: ${name} are found`, async t => {
      const memory = open(t, pattern(size))
      memory.takeDirty()
      store(memory.view(5 * page, 3 * page))
      tell(memory, 5 * page, 3 * page)
      t.same([...memory.takeDirty()], [5, 3])
      t.same([...memory.takeDirty()], [], 'taken once')
      store(memory.view(7 * page, 3 * page))
      tell(memory, 7 * page, 3 * page)
      t.same([...memory.takeDirty()], [7, 3], 'and again')
    })
  }

  t.test(`${bed.name}: a look takes nothing`, async t => {
    const memory = open(t)
    change(memory, [3, 9, 10])
    tell(memory, 3 * page, 1)
    tell(memory, 9 * page, page + 1)
    for (const look of [memory.peekDirty(), memory.peekDirty(), memory.takeDirty()]) t.same([...look], [3, 1, 9, 2])
    t.same([...memory.peekDirty()], [])
  })

  t.test(`${bed.name}: marked pages are dirty until they are taken`, async t => {
    const memory = open(t)
    memory.mark(page - 1, 2)
    memory.mark(size, 0)
    memory.mark(size - 1, 1)
    t.same([...memory.peekDirty()], [0, 2, pages - 1, 1])
    t.same([...memory.takeDirty()], [0, 2, pages - 1, 1])
    t.same([...memory.takeDirty()], [])
  })

  t.test(`${bed.name}: every second page, more than one answer of the kernel holds`, async t => {
    const count = 8192
    const memory = bed.open(t, { size: count * page, reservation: count * page })
    t.teardown(() => memory.close())
    const view = memory.view(0, memory.size)
    for (let at = 0; at < memory.size; at += 2 * page) {
      view[at + 17] = 1
      tell(memory, at, 1)
    }
    const expected = Array.from({ length: count / 2 }, (_, index) => [2 * index, 1]).flat()
    sameRuns(t, memory.peekDirty(), Uint32Array.from(expected))
    sameRuns(t, memory.takeDirty(), Uint32Array.from(expected))
    t.same([...memory.takeDirty()], [])
  })

  t.test(`${bed.name}: pages are copied in the order in which they are named`, async t => {
    const memory = open(t, pattern(size))
    memory.view(2 * page, page).fill(9)
    const expected = Buffer.concat([memory.view(2 * page, 2 * page), memory.view(0, page)])
    sameBytes(t, memory.copyPages(Uint32Array.of(2, 2, 0, 1)), expected, 'the images')
    t.equal(memory.copyPages(new Uint32Array(0)).length, 0)
    const copy = memory.copyPages(Uint32Array.of(2, 1))
    memory.view(2 * page, page).fill(8)
    t.equal(copy[0], 9, 'it is a copy')
    const room = Buffer.alloc(3 * page)
    t.equal(memory.copyPages(Uint32Array.of(2, 1), room).buffer, room.buffer, 'in the room that was given')
    t.equal(room[0], 8)
    t.equal(memory.copyPages(Uint32Array.of(0, 4), room).length, 4 * page, 'elsewhere if there is too little')
  })

  t.test(`${bed.name}: loaded pages are clean, and dirty once they change`, async t => {
    const memory = open(t, pattern(size))
    const images = pattern(2 * page, 77)
    memory.load(4, images)
    sameBytes(t, memory.view(4 * page, 2 * page), images, 'the images')
    t.same([...memory.takeDirty()], [])
    change(memory, [5])
    tell(memory, 5 * page, 1)
    t.same([...memory.takeDirty()], [5, 1])
  })

  t.test(`${bed.name}: a load leaves other pages as dirty as they were`, async t => {
    const memory = open(t)
    change(memory, [3, 6])
    tell(memory, 3 * page, 1)
    tell(memory, 6 * page, 1)
    memory.load(4, new Uint8Array(2 * page))
    t.same([...memory.takeDirty()], [3, 1, 6, 1])
  })

  t.test(`${bed.name}: it grows within its reservation, and what is new is tracked`, async t => {
    const memory = open(t)
    const view = memory.view(0, size)
    view[1] = 1
    tell(memory, 0, 1)
    bed.grow(memory, 2 * size)
    t.equal(memory.size, 2 * size)
    t.equal(view[1], 1, 'views stay')
    t.same([...memory.takeDirty()], [0, 1], 'new pages are clean')
    change(memory, [pages - 1, pages, 2 * pages - 1])
    tell(memory, size - page, 2 * page)
    tell(memory, 2 * size - 1, 1)
    t.same([...memory.takeDirty()], [pages - 1, 2, 2 * pages - 1, 1], 'one run over the seam')
    bed.grow(memory, 2 * size)
    bed.grow(memory, 4 * size)
    t.throws(() => memory.extend(4 * size + page), { code: 'ERR_MAP' })
    t.throws(() => memory.extend(size), { code: 'ERR_MAP' })
    t.throws(() => memory.extend(4 * size - 1), { code: 'ERR_MAP' })
    t.equal(memory.size, 4 * size)
  })

  t.test(`${bed.name}: a view cannot be transferred away`, async t => {
    const memory = open(t)
    const view = memory.view(0, 64)
    // Newer engines refuse, older ones copy; the view stays ours either way.
    try {
      structuredClone(view, { transfer: [view.buffer as ArrayBuffer] })
    } catch (error) {
      t.match(error, { name: 'DataCloneError' })
    }
    view[0] = 7
    t.equal(memory.view(0, 1)[0], 7)
  })

  t.test(`${bed.name}: close takes every view away and all later calls`, async t => {
    const memory = open(t)
    const views = [memory.view(0, size), memory.view(8, 8)]
    memory.close()
    memory.close()
    t.same(
      views.map(view => view.length),
      [0, 0],
    )
    t.equal(memory.closed, true)
    for (const [name, call] of everyCall(memory)) t.throws(call, { code: 'ERR_CLOSED' }, name)
  })

  t.test(`${bed.name}: what lies outside or is no number is refused`, async t => {
    const memory = open(t)
    for (const [offset, length] of [
      [size, 1],
      [1, size],
      [2 ** 53 - 1, 1],
    ] as const) {
      t.throws(() => memory.view(offset, length), { code: 'ERR_RANGE' })
      t.throws(() => memory.mark(offset, length), { code: 'ERR_RANGE' })
    }
    for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53, '1', null, undefined, 1n]) {
      const number = wrong as number
      t.throws(() => memory.view(number, 1), { code: 'ERR_ARGUMENT' }, `view ${String(wrong)}`)
      t.throws(() => memory.mark(1, number), { code: 'ERR_ARGUMENT' }, `mark ${String(wrong)}`)
      t.throws(() => memory.load(number, new Uint8Array(page)), { code: 'ERR_ARGUMENT' }, `load ${String(wrong)}`)
      t.throws(() => memory.extend(number), { code: 'ERR_ARGUMENT' }, `extend ${String(wrong)}`)
    }
    t.throws(() => memory.load(pages, new Uint8Array(page)), { code: 'ERR_RANGE' })
    t.throws(() => memory.load(0, new Uint8Array(page - 1)), { code: 'ERR_ARGUMENT' })
    t.throws(() => memory.load(0, [0] as unknown as Uint8Array), { code: 'ERR_ARGUMENT' })
    t.throws(() => memory.copyPages(Uint32Array.of(pages - 1, 2)), { code: 'ERR_RANGE' })
    t.throws(() => memory.copyPages(Uint32Array.of(2 ** 32 - 1, 2 ** 32 - 1)), { code: 'ERR_RANGE' })
    t.throws(() => memory.copyPages(Uint32Array.of(1)), { code: 'ERR_ARGUMENT' })
    t.throws(() => memory.copyPages([0, 1] as unknown as PageRuns), { code: 'ERR_ARGUMENT' })
  })

  t.test(`${bed.name}: whatever is stored, taken and grown, no change is missed and little else is found`, async t => {
    const outcome = fc.check(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const memory = bed.open(t, { size, reservation: 4 * size })
        const written = new Set<number>()
        for (const { offset, length, next } of steps) {
          const at = Math.min(offset, memory.size - length)
          memory.view(at, length).forEach((byte, index, bytes) => {
            bytes[index] = byte + 1
          })
          tell(memory, at, length)
          for (let number = Math.floor(at / page); number * page < at + length; number++) written.add(number)
          if (next === 'grow' && memory.size < 4 * size) bed.grow(memory, memory.size + size)
          if (next === 'nothing') continue
          const found = pagesOf(memory[next === 'peek' ? 'peekDirty' : 'takeDirty']())
          if (found.join() !== [...written].sort((a, b) => a - b).join()) return false
          if (next !== 'peek') written.clear()
        }
        memory.close()
        return true
      }),
      { numRuns: 60, seed: 6 },
    )
    t.notOk(outcome.failed, fc.defaultReportMessage(outcome) ?? 'every run')
  })
}

/** Ways to change each page of a view; each changes it again when it is repeated. */
const stores: Readonly<Record<string, (view: Uint8Array) => void>> = {
  'plain stores': view => eachPage(view, at => view.set([(view[at] as number) + 1], at)),
  'stores through a DataView': view => {
    const words = new DataView(view.buffer, view.byteOffset, view.length)
    eachPage(view, at => words.setFloat64(at + 8, words.getUint32(at + 8) + 1.5))
  },
  'atomic stores': view => {
    const words = new Int32Array(view.buffer, view.byteOffset, view.length / 4)
    eachPage(view, at => Atomics.add(words, at / 4 + 5, 1))
  },
  'fill and set': view => {
    view.subarray(0, page + 1).fill((view[0] as number) ^ 1)
    view.set(
      view.slice(page + 1).map(byte => byte ^ 1),
      page + 1,
    )
  },
  'copies within': view => {
    view[view.length - 1] = (view[view.length - 1] as number) + 1
    const last = view[view.length - 1] as number
    for (let at = page; at < view.length; at += page) view.copyWithin(at - 1, view.length - 1)
    if (view[page - 1] !== last) throw new Error('copyWithin did nothing')
  },
}

function eachPage(view: Uint8Array, store: (at: number) => void): void {
  for (let at = 0; at < view.length; at += page) store(at)
}

function change(memory: ArenaMemory, numbers: readonly number[]): void {
  for (const number of numbers) memory.view(number * page, 1).fill((memory.view(number * page, 1)[0] as number) + 1)
}

export const pagesOf = (runs: PageRuns): number[] =>
  [...eachRun(runs)].flatMap(([first, count]) => Array.from({ length: count }, (_, index) => first + index))

function sameRuns(t: Test, seen: PageRuns, expected: PageRuns): void {
  t.equal(countPages(seen), countPages(expected))
  t.ok(Buffer.compare(Buffer.from(seen.buffer), Buffer.from(expected.buffer)) === 0, 'the same runs')
}

const step = fc.record({
  offset: fc.nat(size - 1),
  length: fc.integer({ min: 1, max: 3 * page }),
  next: fc.constantFrom('nothing', 'nothing', 'peek', 'take', 'take', 'grow'),
})

function everyCall(memory: ArenaMemory): [string, () => unknown][] {
  return [
    ['view', () => memory.view(0, 8)],
    ['mark', () => memory.mark(0, 8)],
    ['peekDirty', () => memory.peekDirty()],
    ['takeDirty', () => memory.takeDirty()],
    ['copyPages', () => memory.copyPages(Uint32Array.of(0, 1))],
    ['load', () => memory.load(0, new Uint8Array(page))],
    ['extend', () => memory.extend(2 * size)],
  ]
}
