import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { assert } from '../../core/index.js'
import { MappedFile } from '../fixture/mapped-file.js'
import { Preloaded } from '../fixture/preloaded.js'
import { PersistenceModel, readEvents, type StoreEvent } from './persistence-model.js'

/** Stores, flushes and fences of real programs are recorded, and what they call durable is held against every crash. */
const recorder = new Preloaded(t, 'store-recorder.c')
const size = 256 * 1024
const seeds = [1, 2, 3]
const granularities = ['page', 'cache_line', 'byte'] as const

function recorded(t: Test, script: string, granularity: string, seed = 1, drop = ''): StoreEvent[] {
  const file = new MappedFile(t, size)
  const record = join(t.testdir({}), 'record')
  const program = new URL('store-order-child.js', import.meta.url)
  process.env.DROP_EVENT = drop
  const { status, stderr } = recorder.run(program, script, file.path, record, granularity, `${seed}`)
  delete process.env.DROP_EVENT
  assert(status === 0, `the recorded program runs: ${stderr}`)
  return readEvents(readFileSync(record, 'latin1'))
}

/** The claims that some crash would break. */
function broken(events: readonly StoreEvent[]): string[] {
  const model = new PersistenceModel()
  return events.flatMap(event => model.apply(event) ?? [])
}

const count = (events: readonly StoreEvent[], kind: StoreEvent['kind']): number =>
  events.filter(event => event.kind === kind).length

for (const script of ['calls', 'target'] as const) {
  for (const granularity of granularities) {
    t.test(`${script}: what is called durable survives every crash (${granularity}, seeds ${seeds})`, async t => {
      for (const seed of seeds) {
        const events = recorded(t, script, granularity, seed)
        t.ok(count(events, 'durable') >= 40 && count(events, 'store') >= 40, 'there is something to judge')
        t.same(broken(events), [])
      }
    })
  }
}

t.test('a program that forgets its flushes, its fences or its msync is seen', async t => {
  for (const script of ['calls', 'target']) {
    for (const [granularity, event] of [
      ['cache_line', 'flush'],
      ['cache_line', 'fence'],
      ['byte', 'fence'],
      ['page', 'msync'],
    ] as const)
      t.ok(broken(recorded(t, script, granularity, 1, event)).length > 0, `${script}, ${granularity} without ${event}`)
  }
})

t.test('each single flush, fence or msync that is taken out of a record is missed', async t => {
  for (const [granularity, kind] of [
    ['cache_line', 'flush'],
    ['cache_line', 'fence'],
    ['page', 'msync'],
  ] as const) {
    // Claimed at every point that makes anything durable, so that a later one cannot make up for it.
    const events = recorded(t, 'commit', granularity).flatMap(claimed())
    t.same(broken(events), [])
    const places = events.flatMap((event, at) => (event.kind === kind ? [at] : []))
    t.ok(places.length >= 12)
    for (const place of places) t.ok(broken(events.toSpliced(place, 1)).length > 0, `${kind} ${place}`)
  }
})

/** Adds the claim that every store so far is durable behind each fence or msync. */
function claimed(): (event: StoreEvent) => StoreEvent[] {
  const stored = new Map<number, Uint8Array>()
  return event => {
    if (event.kind === 'store') stored.set(event.address, event.bytes)
    if (event.kind !== 'fence' && event.kind !== 'msync') return [event]
    return [event, ...[...stored].map(([address, bytes]): StoreEvent => ({ kind: 'durable', address, bytes }))]
  }
}

/** Images of all moments of the program, up to the first in which a record is called complete and is not. */
function tornImages(events: readonly StoreEvent[]): { torn: number; images: number } {
  const model = new PersistenceModel()
  const [map] = events
  assert(map?.kind === 'map', 'a record begins with its mapping')
  let [torn, images] = [0, 0]
  for (const event of events) {
    model.apply(event)
    for (const read of torn > 0 ? [] : model.images()) {
      images++
      for (let slot = 0; slot < 6; slot++) {
        const flag = read(map.address + slot * 256 + 128, 1)[0]
        if (flag === 1 && read(map.address + slot * 256, 100).some(byte => byte !== slot + 1)) torn++
      }
    }
  }
  return { torn, images }
}

t.test('no crash leaves a flag without its record, at any moment and in any order of the lines', async t => {
  for (const granularity of granularities) {
    const { torn, images } = tornImages(recorded(t, 'commit', granularity))
    t.equal(torn, 0, granularity)
    t.ok(images > 36, `${images} images`)
  }
  t.ok(tornImages(recorded(t, 'commit', 'cache_line', 1, 'flush')).torn > 0, 'without its flushes it would')
})

t.test('the model knows when a line is certain', async t => {
  const line = (byte: number) => new Uint8Array(64).fill(byte)
  const model = new PersistenceModel()
  const does = (...events: StoreEvent[]) => events.map(event => model.apply(event)).at(-1)
  const bytes = line(1)
  t.equal(does({ kind: 'map', address: 0, length: 128, granularity: 1 }), undefined)
  t.match(does({ kind: 'store', address: 64, bytes }, { kind: 'durable', address: 64, bytes }), /something else/)
  t.match(does({ kind: 'flush', address: 64, length: 1 }, { kind: 'durable', address: 64, bytes }), /something else/)
  t.equal(does({ kind: 'fence' }, { kind: 'durable', address: 64, bytes }), undefined)
  t.match(
    does({ kind: 'store', address: 64, bytes: line(2) }, { kind: 'durable', address: 64, bytes }),
    /something else/,
  )
  t.equal([...model.images()].length, 2)
  t.match(does({ kind: 'fence' }, { kind: 'durable', address: 64, bytes: line(2) }), /something else/, 'not flushed')
  t.equal(
    does(
      { kind: 'flush', address: 100, length: 1 },
      { kind: 'fence' },
      { kind: 'durable', address: 64, bytes: line(2) },
    ),
    undefined,
  )
})
