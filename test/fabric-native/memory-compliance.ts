import fc from 'fast-check'
import type { Test } from 'tap'
import type { CopyOptions, Memory } from '../../fabric-native/index.js'
import { sameBytes } from '../fixture/same-bytes.js'

/** What an implementation of the memory seam brings along to be examined. */
export interface MemoryBed {
  readonly name: string
  readonly method: Memory['method']
  /** Zeros, of this size (a multiple of 4096); the kit closes it. */
  open(t: Test, size: number): Memory
  /** What the storage holds: the least that must be there of everything that was persisted. */
  stored?(memory: Memory): Uint8Array
}

export const memorySize = 5 * 4096

/** Every implementation of Memory passes this kit. */
export function memoryCompliance(t: Test, bed: MemoryBed): void {
  const open = (t: Test): Memory => {
    const memory = bed.open(t, memorySize)
    t.teardown(() => memory.close())
    return memory
  }

  t.test(`${bed.name}: a new memory is empty, open and healthy`, async t => {
    const memory = open(t)
    t.match(memory, { size: memorySize, method: bed.method, closed: false })
    t.equal(memory.failure, undefined)
    sameBytes(t, contentOf(memory), new Uint8Array(memorySize), 'it holds something else than zeros')
  })

  t.test(`${bed.name}: views are windows over the same bytes`, async t => {
    const memory = open(t)
    const [left, right] = [memory.view(4000, 200), memory.view(4096, 200)]
    left.set([1, 2, 3], 96)
    t.same([...right.subarray(0, 3)], [1, 2, 3])
    memory.fill(4097, 9, 1)
    t.same([...left.subarray(96, 99)], [1, 9, 3])
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
    t.equal(view.length, 64)
    t.equal(memory.view(0, 1)[0], 7)
  })

  t.test(`${bed.name}: close takes every view away and all later calls`, async t => {
    const memory = open(t)
    const views = [memory.view(0, memorySize), memory.view(8, 8), memory.view(0, 0)]
    memory.close()
    memory.close()
    t.same(
      views.map(view => view.length),
      [0, 0, 0],
    )
    t.equal(memory.closed, true)
    for (const [name, call] of everyCall(memory, bed.open(t, 4096))) t.throws(call, { code: 'ERR_CLOSED' }, name)
  })

  t.test(`${bed.name}: ranges must lie inside`, async t => {
    const memory = open(t)
    const other = open(t)
    for (const [offset, length] of [
      [memorySize, 1],
      [memorySize + 1, 0],
      [1, memorySize],
      [2 ** 53 - 1, 1],
      [1, 2 ** 53 - 1],
    ] as const) {
      for (const [name, call] of rangeCalls(memory, offset, length, other)) {
        t.throws(call, { code: 'ERR_RANGE' }, `${name} of ${offset}, ${length}`)
      }
    }
  })

  t.test(`${bed.name}: what is not a number of bytes is refused`, async t => {
    const memory = open(t)
    const other = open(t)
    for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null, undefined, {}, 1n]) {
      const number = wrong as number
      for (const [name, call] of [...rangeCalls(memory, number, 1, other), ...rangeCalls(memory, 1, number, other)]) {
        t.throws(call, { code: 'ERR_ARGUMENT' }, `${name} of ${String(wrong)}`)
      }
    }
    for (const wrong of [undefined, null, [1], 'a', new Float64Array(1), new DataView(new ArrayBuffer(1))]) {
      const bytes = wrong as unknown as Uint8Array
      t.throws(() => memory.read(0, bytes), { code: 'ERR_ARGUMENT' }, `read into ${String(wrong)}`)
      t.throws(() => memory.copyIn(0, bytes), { code: 'ERR_ARGUMENT' }, `copy of ${String(wrong)}`)
    }
    for (const byte of [-1, 256, 0.5]) t.throws(() => memory.fill(0, byte, 1), { code: 'ERR_ARGUMENT' }, `${byte}`)
  })

  t.test(`${bed.name}: nothing is a range too`, async t => {
    const memory = open(t)
    const other = open(t)
    for (const offset of [0, 1, memorySize]) {
      for (const [name, call] of rangeCalls(memory, offset, 0, other)) t.doesNotThrow(call, `${name} at ${offset}`)
    }
    t.equal(memory.view(memorySize, 0).length, 0)
  })

  t.test(`${bed.name}: a move may overlap itself in either direction`, async t => {
    const memory = open(t)
    for (const [to, from] of [
      [110, 100],
      [100, 110],
      [103, 100],
      [4090, 4096],
    ] as const) {
      const expected = pattern(memorySize)
      memory.copyIn(0, expected)
      expected.copyWithin(to, from, from + 1000)
      memory.move(to, from, 1000)
      sameBytes(t, contentOf(memory), expected, `from ${from} to ${to}`)
    }
  })

  t.test(`${bed.name}: a range can be brought over from another memory`, async t => {
    const [memory, master] = [open(t), open(t)]
    master.copyIn(0, pattern(memorySize))
    memory.copyFrom(master, 4001, 5003)
    const expected = new Uint8Array(memorySize)
    expected.set(pattern(memorySize).subarray(4001, 9004), 4001)
    sameBytes(t, contentOf(memory), expected, 'the copy differs')
    const closed = open(t)
    closed.close()
    t.throws(() => memory.copyFrom(closed, 0, 8), { code: 'ERR_CLOSED' })
  })

  t.test(`${bed.name}: any history of operations leaves what a plain array would hold`, async t => {
    const outcome = fc.check(
      fc.property(fc.array(operation, { maxLength: 30 }), history => {
        const memory = bed.open(t, memorySize)
        const model = new Model()
        for (const step of history) step(memory, model)
        const same = Buffer.compare(contentOf(memory), model.bytes) === 0
        const durable = !bed.stored || model.isStored(bed.stored(memory))
        memory.close()
        return same && durable
      }),
      { seed: 20260, numRuns: 60 },
    )
    t.equal(outcome.failed, false, `counterexample ${JSON.stringify(outcome.counterexamplePath)}, seed ${outcome.seed}`)
  })
}

/** The bytes as an array would have them, and which of them must be on the storage. */
class Model {
  readonly bytes = new Uint8Array(memorySize)
  readonly #durable = new Map<number, number>()
  #flushed: [number, number][] = []

  wrote(offset: number, length: number, options: CopyOptions): void {
    for (let at = offset; at < offset + length; at++) this.#durable.delete(at)
    if (options.noFlush) return
    this.flushed(offset, length)
    if (!options.noDrain) this.drained()
  }

  flushed(offset: number, length: number): void {
    this.#flushed.push([offset, length])
  }

  drained(): void {
    for (const [offset, length] of this.#flushed.splice(0)) {
      for (let at = offset; at < offset + length; at++) this.#durable.set(at, this.bytes[at] ?? 0)
    }
  }

  isStored(stored: Uint8Array): boolean {
    return [...this.#durable].every(([at, byte]) => stored[at] === byte)
  }
}

type Step = (memory: Memory, model: Model) => void

const offset = fc.nat(memorySize - 1)
const length = fc.oneof(fc.nat(80), fc.nat(2 * 4096))
const range = fc.tuple(offset, length).map(([at, count]) => [at, Math.min(count, memorySize - at)] as const)
const options = fc.record({ noFlush: fc.boolean(), noDrain: fc.boolean() })

const operation: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(range, fc.nat(255), options).map(
    ([[at, count], byte, how]): Step =>
      (memory, model) => {
        memory.fill(at, byte, count, how)
        model.bytes.fill(byte, at, at + count)
        model.wrote(at, count, how)
      },
  ),
  fc.tuple(range, fc.nat(255), options).map(
    ([[at, count], salt, how]): Step =>
      (memory, model) => {
        const source = pattern(count, salt)
        memory.copyIn(at, source, how)
        model.bytes.set(source, at)
        model.wrote(at, count, how)
      },
  ),
  fc.tuple(range, offset, options).map(
    ([[from, count], to, how]): Step =>
      (memory, model) => {
        const fits = Math.min(count, memorySize - to)
        memory.move(to, from, fits, how)
        model.bytes.copyWithin(to, from, from + fits)
        model.wrote(to, fits, how)
      },
  ),
  range.map(
    ([at, count]): Step =>
      (memory, model) => {
        memory.flush(at, count)
        model.flushed(at, count)
      },
  ),
  fc.tuple(range, fc.boolean()).map(
    ([[at, count], deep]): Step =>
      (memory, model) => {
        if (deep) memory.deepPersist(at, count)
        else memory.persist(at, count)
        model.flushed(at, count)
        model.drained()
      },
  ),
  fc.constant<Step>((memory, model) => {
    memory.drain()
    model.drained()
  }),
)

/** Bytes without a period that fits pages or words. */
export const pattern = (size: number, salt = 0): Uint8Array =>
  Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8) * 7 + salt) & 0xff)

export function contentOf(memory: Memory): Uint8Array {
  const bytes = new Uint8Array(memory.size)
  memory.read(0, bytes)
  return bytes
}

/** Each method that takes an offset and a length, under its name. */
export function rangeCalls(memory: Memory, offset: number, length: number, other: Memory): [string, () => unknown][] {
  return [
    ['view', () => memory.view(offset, length)],
    ['flush', () => memory.flush(offset, length)],
    ['persist', () => memory.persist(offset, length)],
    ['deepPersist', () => memory.deepPersist(offset, length)],
    ['move to', () => memory.move(offset, 0, length)],
    ['move from', () => memory.move(0, offset, length)],
    ['fill', () => memory.fill(offset, 0, length)],
    ['copyFrom', () => memory.copyFrom(other, offset, length)],
  ]
}

/** Each method with arguments that would do. */
export function everyCall(memory: Memory, other: Memory): [string, () => unknown][] {
  return [
    ...rangeCalls(memory, 0, 8, other),
    ['drain', () => memory.drain()],
    ['read', () => memory.read(0, new Uint8Array(8))],
    ['copyIn', () => memory.copyIn(0, new Uint8Array(8))],
  ]
}
