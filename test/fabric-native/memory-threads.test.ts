import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { attachMemory, NativeMemory } from '../../fabric-native/index.js'
import { inMemory, MappedFile, withGranularity } from '../fixture/mapped-file.js'

const page = 4096

/** A thread that attaches to the memory and does one errand after the other (memory-worker.ts). */
class Colleague {
  readonly #worker: Worker

  constructor(t: Test, token: string) {
    this.#worker = new Worker(fileURLToPath(new URL('memory-worker.js', import.meta.url)), { workerData: token })
    t.teardown(() => this.#worker.terminate())
  }

  /** What the errand returned, or the code of its error. */
  async ask(errand: string, ...values: number[]): Promise<unknown> {
    this.begin(errand, ...values)
    return this.answer()
  }

  begin(errand: string, ...values: number[]): void {
    this.#worker.postMessage({ errand, values })
  }

  async answer(): Promise<unknown> {
    const [answer] = await once(this.#worker, 'message')
    return answer
  }
}

t.test('threads share the bytes of a memory', async t => {
  const memory = NativeMemory.anonymous(page)
  t.teardown(() => memory.close())
  const colleague = new Colleague(t, memory.share())
  memory.view(0, 1)[0] = 5
  t.equal(await colleague.ask('load', 0), 5)
  t.equal(await colleague.ask('store', 1, 6), 6)
  t.equal(memory.view(1, 1)[0], 6)
})

t.test('the owner closes for all, and the memory stays until the last has closed', async t => {
  const file = new MappedFile(t, page)
  const memory = file.map()
  const colleague = new Colleague(t, memory.share())
  await colleague.ask('keep view')
  memory.close()
  t.equal(file.mapped, true, 'the other thread holds a view')
  t.equal(await colleague.ask('store in view', 3), 3)
  t.equal(await colleague.ask('persist', 0, 8), 'ERR_CLOSED')
  t.equal(await colleague.ask('close'), true)
  t.equal(file.mapped, false)
  t.equal(file.content()[0], 3)
})

t.test('a colleague closes for itself only', async t => {
  const memory = NativeMemory.anonymous(page)
  t.teardown(() => memory.close())
  const colleague = new Colleague(t, memory.share())
  await colleague.ask('close')
  t.equal(await colleague.ask('persist', 0, 8), 'ERR_CLOSED')
  memory.persist(0, 8)
  t.equal(memory.closed, false)
})

t.test('a token is good for an open memory only', async t => {
  const memory = NativeMemory.anonymous(page)
  const token = memory.share()
  const again = attachMemory(token)
  again.view(0, 1)[0] = 1
  t.equal(memory.view(0, 1)[0], 1)
  again.close()
  memory.close()
  for (const wrong of [token, '', '0'.repeat(64), undefined, {}]) {
    t.throws(() => attachMemory(wrong as string), { code: 'ERR_CLOSED' }, `${wrong}`)
  }
  t.throws(() => memory.share(), { code: 'ERR_CLOSED' })
})

t.test('a failure on one thread is known to all', async t => {
  const file = new MappedFile(t, page)
  const memory = file.map()
  t.teardown(() => memory.close())
  const colleague = new Colleague(t, memory.share())
  await colleague.ask('keep view')
  file.truncate()
  await colleague.ask('store in view', 1)
  t.throws(() => memory.persist(0, 8), { code: 'ERR_POOL_TRUNCATED' })
})

t.test('threads flush, persist and drain side by side', async t => {
  for (const granularity of ['page', 'cache_line'] as const) {
    const file = new MappedFile(t, 16 * page, inMemory)
    const memory = withGranularity(granularity, () => file.map())
    const colleagues = [new Colleague(t, memory.share()), new Colleague(t, memory.share())]
    const answers = await Promise.all(colleagues.map((colleague, parity) => colleague.ask('hammer', parity, 5000)))
    t.same(answers, [5000, 5000])
    memory.drain()
    t.equal(memory.failure, undefined)
    memory.close()
  }
})

for (const granularity of ['page', 'cache_line'] as const) {
  t.test(`whole aligned words are never seen torn (${granularity})`, async t => {
    const file = new MappedFile(t, page)
    const memory = withGranularity(granularity, () => file.map())
    t.teardown(() => memory.close())
    const colleague = new Colleague(t, memory.share())
    const length = 1000
    const [zeros, ones] = [new Uint8Array(length), new Uint8Array(length).fill(0xff)]
    // An msync each would take all the time; cache lines are flushed, by other instructions than plain stores.
    const options = { noFlush: granularity === 'page' }
    await colleague.ask('keep view')
    // The watcher looks at words that lie inside every range.
    colleague.begin('watch words', 64, 960)
    await colleague.answer()
    for (let round = 0; round < 3000; round++) {
      for (const offset of [0, 1, 3, 8, 61]) memory.copyIn(offset, round % 2 === 0 ? zeros : ones, options)
      memory.fill(5, round % 2 === 0 ? 0xff : 0, 1080, options)
      memory.move(2001, 3, 500, options)
      memory.move(3, 2001, 500, options)
    }
    memory.fill(page - 1, 1, 1)
    t.match(await colleague.answer(), { torn: 0 })
  })
}

t.test('a memory grows while other threads work on it, who find the new pieces when they attach again', async t => {
  const steps = 200
  const file = new MappedFile(t, (8 + steps) * page)
  const piece = (at: number, pages: number) => ({ fd: file.fd, offset: at * page, length: pages * page })
  const memory = withGranularity('page', () => NativeMemory.map([piece(0, 8)], file.size))
  t.teardown(() => memory.close())
  const colleagues = [0, 1].map(() => new Colleague(t, memory.share()))
  for (const [parity, colleague] of colleagues.entries()) colleague.begin('hammer', parity, 3000)
  for (let step = 0; step < steps; step++) withGranularity('page', () => memory.extend([piece(8 + step, 1)]))
  t.same(await Promise.all(colleagues.map(colleague => colleague.answer())), [3000, 3000])
  t.equal(memory.size, file.size)
  const late = new Colleague(t, memory.share())
  t.equal(await late.ask('store', memory.size - 1, 9), 9)
  t.equal(memory.view(memory.size - 1, 1)[0], 9)
  t.equal(file.content().at(-1), 9)
})
