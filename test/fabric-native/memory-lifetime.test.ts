import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { markAsUntransferable } from 'node:worker_threads'
import t from 'tap'
import { NativeMemory } from '../../fabric-native/index.js'
import { collected } from '../fixture/collect-garbage.js'
import { MappedFile } from '../fixture/mapped-file.js'

const page = 4096

/** Kilobytes of addresses that this process occupies. */
const addressSpace = () => Number(/VmSize:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1])

t.test('close releases the files at once, even while a dead view is still held', async t => {
  const file = new MappedFile(t, 2 * page)
  const memory = file.map()
  const view = memory.view(0, 2 * page)
  view[0] = 1
  t.equal(file.mapped, true)
  memory.close()
  t.equal(file.mapped, false)
  t.equal(view[0], undefined)
  t.equal(file.content()[0], 1)
})

t.test('disposing closes, also what is closed already', async t => {
  const memory = NativeMemory.anonymous(page)
  const view = memory.view(0, 8)
  await memory[Symbol.asyncDispose]()
  t.equal(memory.closed, true)
  t.equal(view.length, 0)
  await t.resolves(memory[Symbol.asyncDispose]())
})

t.test('a view keeps its memory mapped when the memory object is forgotten', async t => {
  const file = new MappedFile(t, page)
  const seen = new Set<string>()
  const registry = new FinalizationRegistry((name: string) => seen.add(name))
  const view = (() => {
    const memory = file.map()
    registry.register(memory, 'memory')
    return memory.view(8, 8)
  })()
  t.ok(await collected(() => seen.has('memory')), 'the memory object is gone')
  view[0] = 9
  t.equal(file.content()[8], 9)
})

t.test('a memory that is forgotten without close is unmapped', async t => {
  const file = new MappedFile(t, page)
  file.map().view(0, 8).fill(1)
  t.ok(await collected(() => !file.mapped))
})

t.test('a view that was marked or taken away by its buffer does no harm', async t => {
  const file = new MappedFile(t, page)
  const memory = file.map()
  const [marked, taken] = [memory.view(0, 8), memory.view(8, 8)]
  markAsUntransferable(marked.buffer)
  const transfer: unknown = Reflect.get(ArrayBuffer.prototype, 'transfer')
  const thief = typeof transfer === 'function' ? new Uint8Array(transfer.call(taken.buffer)) : taken
  memory.close()
  for (const view of [marked, thief]) view[0] = 1
  t.ok(marked.length === 0 || marked[0] === 1)
  t.equal(taken.length, 0)
})

t.test('addresses of closed memories are given back once their views are collected', async t => {
  const gibibyte = 2 ** 30
  const before = addressSpace()
  const useAndClose = () => {
    for (let round = 0; round < 20; round++) {
      const memory = NativeMemory.anonymous(gibibyte)
      memory.view(0, page).fill(1)
      memory.close()
    }
  }
  useAndClose()
  t.ok(await collected(() => addressSpace() < before + gibibyte / 1024), `${addressSpace() - before} kB more`)
})

t.test('ten thousand views cost no more than one once they are collected', async t => {
  const memory = NativeMemory.anonymous(page)
  for (let round = 0; round < 10_000; round++) memory.view(round % page, 1)[0] = 1
  const last = memory.view(0, page)
  t.ok(last.every(byte => byte === 1))
  memory.close()
  t.equal(last.length, 0)
})

t.test('processes and threads end in good order with memory open', async t => {
  const child = fileURLToPath(new URL('exit-child.js', import.meta.url))
  for (const [scenario, expected] of Object.entries({
    natural: 0,
    exit: 0,
    exception: 1,
    worker: 0,
    'worker-exit': 0,
    'worker-terminated': 0,
    'worker-alone': 0,
  })) {
    const file = new MappedFile(t, page)
    const { status, signal, stderr } = spawnSync(process.execPath, [child, scenario, file.path], {
      encoding: 'utf8',
      timeout: 30_000,
    })
    t.same({ status, signal }, { status: expected, signal: null }, `${scenario}: ${stderr}`)
    t.equal(file.content()[0], 1, `${scenario}: what was stored is there`)
  }
})
