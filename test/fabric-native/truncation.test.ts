import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { NativeMemory } from '../../fabric-native/index.js'
import { inMemory, MappedFile, onDisk, withGranularity } from '../fixture/mapped-file.js'
import { everyCall } from './memory-compliance.js'

const page = 4096
const truncated = { code: 'ERR_POOL_TRUNCATED', durability: 'unknown' }

const beds = {
  msync: () => withGranularity('page', () => new MappedFile(t, 8 * page, onDisk)),
  tmpfs: () => new MappedFile(t, 8 * page, inMemory),
}

for (const [name, file] of Object.entries(beds)) {
  t.test(`${name}: stores through a view of a file that shrank do not end the process`, async t => {
    const part = file()
    const memory = part.map()
    const view = memory.view(0, memory.size)
    view.fill(1)
    part.truncate(4 * page)
    t.equal(memory.failure, undefined, 'nobody has touched what is gone')
    view.fill(2)
    t.match(memory.failure, truncated)
    t.equal(view[memory.size - 1], 2, 'the page that was lost is memory now')
    for (const [call, run] of everyCall(memory, memory)) t.throws(run, truncated, call)
    memory.close()
    t.equal(view.length, 0)
  })

  t.test(`${name}: what was stored before the file shrank is not called durable`, async t => {
    for (const call of ['persist', 'flush', 'deepPersist'] as const) {
      const part = file()
      const memory = part.map()
      memory.view(7 * page, page).fill(1)
      part.truncate(2 * page)
      t.throws(() => memory[call](page, 7 * page), truncated, call)
      memory.close()
    }
  })

  t.test(`${name}: pages flushed before the file shrank are missed by the drain`, async t => {
    const part = file()
    const memory = withGranularity('page', () => part.map())
    memory.fill(6 * page, 1, 8, { noDrain: true })
    part.truncate()
    t.throws(() => memory.drain(), truncated)
    memory.close()
  })

  t.test(`${name}: reading and copying meet the end of a file without harm`, async t => {
    const calls: ((memory: NativeMemory) => void)[] = [
      memory => memory.read(7 * page, new Uint8Array(page)),
      memory => memory.copyIn(7 * page, new Uint8Array(page), { noFlush: true }),
      memory => memory.move(0, 7 * page, page, { noFlush: true }),
      memory => memory.fill(7 * page, 1, page, { noFlush: true }),
    ]
    for (const call of calls) {
      const part = file()
      const memory = part.map()
      part.truncate()
      t.throws(() => call(memory), truncated)
      memory.close()
    }
  })

  t.test(`${name}: a replica does not take over what its master has lost`, async t => {
    const part = file()
    const master = part.map()
    const replica = NativeMemory.anonymous(master.size)
    part.truncate()
    t.throws(() => replica.copyFrom(master, 0, page), truncated)
    t.equal(replica.failure, undefined)
    t.match(master.failure, truncated)
    t.throws(() => replica.copyFrom(master, 0, page), truncated)
    master.close()
    replica.close()
  })
}

t.test('each of many mappings answers for its own pages', async t => {
  const files = Array.from({ length: 150 }, () => new MappedFile(t, 2 * page, inMemory))
  const memories = files.map(file => file.map())
  const views = memories.map(memory => memory.view(0, memory.size))
  for (const [index, file] of files.entries()) if (index % 3 === 0) file.truncate()
  for (const view of views) view[page] = 1
  t.same(
    memories.map(memory => memory.failure !== undefined),
    files.map((_, index) => index % 3 === 0),
  )
  for (const memory of memories) memory.close()
})

for (const [direction, step] of Object.entries({ forwards: 2, backwards: -2 })) {
  t.test(`a program may walk ${direction} through any number of pages that are gone`, async t => {
    // More isolated pages than the kernel allows mappings (vm.max_map_count, 65530).
    const size = 150_000 * page
    const part = new MappedFile(t, page, inMemory)
    part.truncate(size)
    const memory = part.map(0, size)
    const view = memory.view(0, size)
    part.truncate(page)
    view[0] = 1
    for (let at = step > 0 ? page : size - page; at > 0 && at < size; at += step * page) view[at] = 1
    t.match(memory.failure, truncated)
    t.equal(part.content()[0], 1, 'what is still there is still mapped')
    memory.close()
  })
}

const child = fileURLToPath(new URL('truncation-child.js', import.meta.url))

function run(scenario: string) {
  const part = new MappedFile(t, 8 * page)
  return spawnSync(process.execPath, [child, scenario, part.path], { encoding: 'utf8', timeout: 30_000 })
}

t.test('in a process of its own, on its threads too', async t => {
  for (const scenario of ['store', 'worker']) {
    const { status, signal, stdout, stderr } = run(scenario)
    t.match({ status, signal, stdout }, { status: 0, signal: null, stdout: 'ERR_POOL_TRUNCATED\n' }, stderr)
  }
})

t.test('a bus error that is not ours still ends the process', async t => {
  for (const scenario of ['sent', 'foreign']) {
    const { signal, stdout } = run(scenario)
    t.same({ signal, stdout }, { signal: 'SIGBUS', stdout: 'ready\n' }, scenario)
  }
})
