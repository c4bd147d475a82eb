import t, { type Test } from 'tap'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import type { ConnectOptions } from '../../fabric-native/index.js'
import { RemotePool } from '../../initiator/index.js'
import { controlShape, decodeControl, encodeControl, encodeFirstWord, Framer } from '../../wire/index.js'
import { GatedStore } from '../target/gated-store.js'
import { ManualClock } from './manual-clock.js'
import { ScriptedShell } from './scripted-shell.js'
import { poolSize, targetBed } from './target-bed.js'

/** A target whose store takes its time, and a clock that moves by hand: longer than any silence that is allowed. */
async function slowBed(t: Test, slow: 'create' | 'close') {
  let store: GatedStore | undefined
  const clock = new ManualClock()
  const bed = await targetBed(t, 'rpmem', undefined, node => {
    store = new GatedStore(node, slow)
    return { store }
  })
  return { ...bed, clock, store: store as unknown as GatedStore }
}

const longMs = 20_000

t.test('a target that works for long but answers pings is not called lost', async t => {
  const { create, clock, store } = await slowBed(t, 'create')
  const creating = create('single.set', { clock })
  await store.begun
  await clock.advance(longMs)
  store.release()
  const pool = await creating
  t.equal(pool.failure, undefined)
})

t.test('a target that stops while it creates the pool is lost, long before the deadline of the step', async t => {
  const { create, clock, store, stop } = await slowBed(t, 'create')
  const creating = t.rejects(create('single.set', { clock }), { code: 'ERR_TARGET_LOST', durability: 'unknown' })
  await store.begun
  stop()
  await clock.advance(3000)
  await creating
  store.release()
})

t.test('a target that stops while the lanes are connected is lost too, and lanes that come late are ended', async t => {
  const { create, clock, options, stop } = await slowBed(t, 'close')
  const { fabric } = options
  let go = () => {}
  let asked = () => {}
  const connecting = new Promise<void>(resolve => {
    asked = resolve
  })
  let ended = () => {}
  const lanesEnded = new Promise<void>(resolve => {
    ended = resolve
  })
  const slow = {
    probe: fabric.probe.bind(fabric),
    listen: fabric.listen.bind(fabric),
    async connect(connection: ConnectOptions) {
      const lanes = await fabric.connect(connection)
      const close = lanes.close.bind(lanes)
      lanes.close = () => close().then(ended)
      asked()
      await new Promise<void>(resolve => {
        go = resolve
      })
      return lanes
    },
  }
  const creating = t.rejects(create('single.set', { clock, fabric: slow }), { code: 'ERR_TARGET_LOST' })
  await connecting
  stop()
  await clock.advance(3000)
  await creating
  go()
  await lanesEnded
})

for (const remove of [false, true]) {
  t.test(`a close that takes long is no loss while pings are answered (remove: ${remove})`, async t => {
    const { create, clock, store, partFiles } = await slowBed(t, 'close')
    const pool = await create('single.set', { clock })
    const closing = pool.close({ remove })
    await store.begun
    await clock.advance(longMs)
    store.release()
    await closing
    t.same(partFiles(), remove ? [] : ['single'])
  })

  t.test(`a close ends at its deadline all the same (remove: ${remove})`, async t => {
    const { create, clock, store } = await slowBed(t, 'close')
    const pool = await create('single.set', { clock, openDeadlineMs: longMs })
    const closing = pool.close({ remove })
    const outcome = remove
      ? t.rejects(closing, { code: 'ERR_TARGET_LOST', cause: { code: 'ERR_DEADLINE', message: /lives/ } })
      : t.resolves(closing)
    await store.begun
    await clock.advance(longMs)
    await outcome
    store.release()
  })

  t.test(`a target that stops while it closes is lost at once (remove: ${remove})`, async t => {
    const { create, clock, store, stop } = await slowBed(t, 'close')
    const pool = await create('single.set', { clock })
    const closing = pool.close({ remove })
    const outcome = remove
      ? t.rejects(closing, { code: 'ERR_TARGET_LOST', cause: { message: /silent/ } })
      : t.resolves(closing)
    await store.begun
    stop()
    await clock.advance(3000)
    await outcome
    store.release()
  })
}

t.test('a target that does not promise prompt pings gets none before it has a pool', async t => {
  const clock = new ManualClock()
  const heard: string[] = []
  let asked = () => {}
  const creating = new Promise<void>(resolve => {
    asked = resolve
  })
  const { options } = await targetBed(t)
  const offers = await options.fabric.probe(['tcp'], {})
  const shell = new ScriptedShell(far => {
    const framer = new Framer(controlShape)
    far.input.on('data', (chunk: Buffer) =>
      framer.push(chunk, frame => {
        const message = decodeControl(frame)
        heard.push(message.type)
        if (message.type === 'accept') t.strictSame(message.capabilities, [])
        if (message.type === 'create') asked()
      }),
    )
    far.output.write(encodeFirstWord('rpmem'))
    const versions = { min: 1, max: 1 }
    far.output.write(encodeControl({ type: 'hello', versions, software: 'rpmem 0.0.1', capabilities: [], offers }))
  })
  const controller = new AbortController()
  const outcome = t.rejects(
    RemotePool.create('me@node2', 'a.set', new BufferMemory(poolSize), {
      ...options,
      ...{ shell, clock, signal: controller.signal },
    }),
    { code: 'ERR_ABORTED' },
  )
  await creating
  await clock.advance(longMs)
  t.strictSame(heard, ['accept', 'create'])
  controller.abort()
  await outcome
})
