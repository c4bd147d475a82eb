import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { hasCode, pageSize } from '../../core/index.js'
import type { Lanes, MemoryToken, NativeMemory } from '../../fabric-native/index.js'
import { downOf } from '../fixture/down-of.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { connectPair, contentOf } from './compliance.js'
import { byteOf, type Errand, lastRound } from './lanes-errand.js'
import { nativeBed } from './native-bed.js'
import { connectProcess, stop } from './service-process.js'

const share = 256 * 1024
/** Where the thread that connected writes. */
const own = 4 * share

/** Threads that share these lanes, each with a range of its own, and what they have said. */
class Crew {
  readonly #workers: Worker[] = []
  readonly #said: string[][] = []
  readonly #waiting = new Set<() => void>()
  readonly #tokens: { readonly lanes: string; readonly memory: MemoryToken }

  constructor(t: Test, lanes: Lanes, memory: NativeMemory) {
    this.#tokens = { lanes: lanes.share(), memory: memory.share() }
    t.teardown(() => this.terminate())
  }

  add(...names: readonly string[]): this {
    for (const name of names) this.#start(name)
    return this
  }

  /** When each thread has said at least so much: all that each has said. */
  async heard(count: number): Promise<readonly (readonly string[])[]> {
    while (this.#said.some(said => said.length < count)) await new Promise<void>(resolve => this.#waiting.add(resolve))
    return this.#said
  }

  async terminate(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }

  async ended(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.threadId < 0 || once(worker, 'exit')))
  }

  #start(name: string): void {
    const offset = this.#workers.length * share
    const workerData: Errand = { ...this.#tokens, name, offset, length: share }
    const worker = new Worker(new URL('lanes-worker.js', import.meta.url), { workerData, execArgv: [] })
    const said: string[] = []
    worker.on('message', message => this.#hear(said, message))
    worker.on('error', error => this.#hear(said, String(error)))
    this.#workers.push(worker)
    this.#said.push(said)
  }

  #hear(said: string[], message: string): void {
    said.push(message)
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }
}

const bed = nativeBed('tcp', 'rpmem', 'GPSPM')

for (const [bed, counts] of [
  [nativeBed('tcp', 'rpmem', 'GPSPM'), [1, 3, 8]],
  [nativeBed('tcp', 'pmdk', 'APM'), [1, 8]],
  [nativeBed('sockets', 'pmdk', 'GPSPM'), [3]],
] as const) {
  for (const count of counts) {
    t.test(`${bed.name}: what four threads write over ${count} lanes is what the target has`, async t => {
      const { lanes, local, remote } = await connectPair(t, bed, count)
      const crew = new Crew(t, lanes, local as NativeMemory).add('write', 'write', 'write', 'write')
      for (let round = 0; round < 200; round++) {
        local.view(own, pageSize).fill(round)
        if (round % 2 === 0) lanes.persistSync(own, pageSize, { deadlineMs: 60_000 })
        else await lanes.persist(own, pageSize, { deadlineMs: 60_000 })
      }
      t.strictSame(await crew.heard(1), Array(4).fill(['written']))
      for (let thread = 0; thread < 4; thread++) {
        const [here, there] = [local, remote].map(memory => contentOf(memory, thread * share, share))
        t.ok(
          here?.every((byte, at) => byte === byteOf(thread * share + at, lastRound)),
          'the thread has written all',
        )
        sameBytes(t, there ?? new Uint8Array(), here ?? new Uint8Array(1), `thread ${thread}`)
      }
      sameBytes(t, contentOf(remote, own, pageSize), contentOf(local, own, pageSize), 'the first thread')
      await crew.ended()
    })
  }
}

for (const names of [['busy'], ['blocked'], ['careless'], ['busy', 'blocked', 'careless']]) {
  t.test(`threads that are terminated at work (${names.join(', ')}) hurt nobody`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed, 2)
    for (let round = 0; round < 8; round++) {
      const crew = new Crew(t, lanes, local as NativeMemory).add(...names)
      await crew.heard(1)
      const pending = Array.from({ length: 100 }, (_, n) => lanes.persist(own + n * 64, 64))
      await crew.terminate()
      await Promise.all(pending)
      local.view(own, pageSize).fill(round)
      lanes.persistSync(own, pageSize, { lane: round % 2 })
      sameBytes(t, contentOf(remote, own, pageSize), new Uint8Array(pageSize).fill(round), `round ${round}`)
    }
    await lanes.drain()
    t.equal(lanes.down, undefined)
  })
}

t.test('threads end in peace although their calls are under way', async t => {
  const { target, lanes, memory } = await connectProcess(t, 'tcp', 2)
  await stop(target)
  const crew = new Crew(t, lanes, memory).add('careless', 'careless')
  await crew.heard(1)
  await crew.ended()
  t.equal(lanes.down, undefined, 'they have ended before the target could answer')
  target.kill('SIGCONT')
  await lanes.persist(own, 64, { deadlineMs: 60_000 })
  t.equal(lanes.down, undefined)
})

t.test('when whoever connected closes, every thread hears that they are closed', async t => {
  for (let round = 0; round < 5; round++) {
    const { lanes, local } = await connectPair(t, bed, 2)
    const crew = new Crew(t, lanes, local as NativeMemory).add('busy', 'blocked', 'blocked')
    await crew.heard(1)
    await lanes.close()
    for (const [work, ...ends] of await crew.heard(2)) {
      t.equal(work, 'at work')
      t.ok(
        ends.every(end => end === 'ERR_CLOSED'),
        `${ends}`,
      )
    }
    await crew.ended()
  }
})

t.test('a promise that is asked for after the lanes were closed settles, whoever holds the wheel', async t => {
  for (let round = 0; round < 30; round++) {
    const { lanes, local } = await connectPair(t, bed, 2)
    const crew = new Crew(t, lanes, local as NativeMemory).add('stubborn', 'stubborn', 'stubborn')
    await crew.heard(1)
    await lanes.close()
    t.strictSame(
      (await crew.heard(2)).map(([, end]) => end),
      ['all settled', 'all settled', 'all settled'],
    )
    await crew.ended()
  }
})

for (const provider of ['tcp', 'sockets'] as const) {
  t.test(`${provider}: when the target is killed, every thread hears that it is lost`, async t => {
    const { target, lanes, memory } = await connectProcess(t, provider, 2)
    const down = downOf(lanes)
    const crew = new Crew(t, lanes, memory).add('busy', 'blocked', 'idle', 'blocked')
    await crew.heard(1)
    target.kill('SIGKILL')
    t.ok(hasCode(await down, 'ERR_TARGET_LOST'))
    for (const [work, ...ends] of await crew.heard(2)) {
      t.equal(work, 'at work')
      t.ok(
        ends.every(end => end === 'ERR_TARGET_LOST'),
        `${ends}`,
      )
    }
    await crew.ended()
  })
}

t.test('when the target is stopped, no thread waits for longer than its deadline', async t => {
  const { target, lanes, memory } = await connectProcess(t, 'tcp', 2)
  const down = downOf(lanes)
  const crew = new Crew(t, lanes, memory).add('blocked', 'busy', 'blocked', 'idle')
  await crew.heard(1)
  await stop(target)
  t.ok(hasCode(await down, 'ERR_DEADLINE'))
  for (const [, ...ends] of await crew.heard(2))
    t.ok(
      ends.every(end => end === 'ERR_DEADLINE'),
      `${ends}`,
    )
  await crew.ended()
})
