import { createHash, randomFill } from 'node:crypto'
import { once } from 'node:events'
import { read, readSync, writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { deflateSync, inflateSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { type ArenaMemory, NativeArenaMemory, type Tracking, trackings } from '../../fabric-native/index.js'
import { inMemory, MappedFile, onDisk } from '../fixture/mapped-file.js'
import { Preloaded } from '../fixture/preloaded.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { type ArenaShape, arenaCompliance, pagesOf } from './arena-compliance.js'

const page = 4096
/** Of the content in the data file, behind a header. */
const offset = 2 * page

for (const [place, under] of Object.entries({ disk: onDisk, tmpfs: inMemory })) {
  for (const tracking of trackings) {
    const files = new WeakMap<ArenaMemory, MappedFile>()
    arenaCompliance(t, {
      name: `${tracking} on ${place}`,
      tracking,
      open(t: Test, { size, reservation, content }: ArenaShape) {
        const file = new MappedFile(t, offset + size, under)
        if (content !== undefined) writeSync(file.fd, content, 0, content.length, offset)
        const memory = NativeArenaMemory.map(file.fd, size, { offset, reservation, tracking })
        files.set(memory, file)
        return memory
      },
      grow(memory, size) {
        files.get(memory)?.truncate(offset + size)
        memory.extend(size)
      },
    })
  }
}

t.test('exactly as many pieces as one answer of the kernel holds, one less and one more', async t => {
  for (const count of [511, 512, 513, 1023, 1024, 1025, 2048]) {
    for (const behind of [0, 1]) {
      const size = (2 * count - 1 + behind) * page
      const file = new MappedFile(t, size, inMemory)
      const memory = NativeArenaMemory.map(file.fd, size, { tracking: 'write-protect' })
      const view = memory.view(0, size)
      for (let at = 0; at < size; at += 2 * page) view[at] = 1
      const seen = [memory.peekDirty(), memory.takeDirty(), memory.takeDirty()].map(runs => runs.length / 2)
      t.same(seen, [count, count, 0], `${count} of ${size / page} pages`)
      memory.close()
    }
  }
})

t.test('what the kernel and native code store is found, on other threads too', async t => {
  const source = new MappedFile(t, 4 * page)
  writeSync(source.fd, Buffer.alloc(4 * page, 7), 0, 4 * page, 0)
  const writers: Record<string, (view: Uint8Array) => unknown> = {
    'fs.readSync': view => readSync(source.fd, view, 0, view.length, 0),
    'fs.read': view => promisify(read)(source.fd, view, 0, view.length, 0),
    'random bytes of a thread of the pool': view => promisify(randomFill)(view),
    'a hash': view =>
      createHash('sha256')
        .update('abc')
        .digest()
        .copy(view, 2 * page - 16),
    decompression: view => inflateSync(deflateSync(Buffer.alloc(view.length, 3))).copy(view),
  }
  for (const tracking of ['write-protect', 'private-mapping'] as const) {
    const file = new MappedFile(t, 16 * page)
    const memory = NativeArenaMemory.map(file.fd, file.size, { tracking })
    for (const [name, write] of Object.entries(writers)) {
      const view = memory.view(3 * page + 100, 2 * page)
      view.fill(0)
      memory.takeDirty()
      await write(view)
      t.same([...memory.takeDirty()], name === 'a hash' ? [5, 1] : [3, 3], `${tracking}: ${name}`)
    }
    memory.close()
  }
})

t.test('stores of worker threads that attach are found', async t => {
  for (const tracking of ['write-protect', 'private-mapping'] as const) {
    const file = new MappedFile(t, 16 * page)
    const memory = NativeArenaMemory.map(file.fd, file.size, { tracking })
    const worker = new Worker(fileURLToPath(new URL('memory-worker.js', import.meta.url)), {
      workerData: memory.share(),
    })
    t.teardown(() => worker.terminate())
    for (const number of [9, 2]) {
      worker.postMessage({ errand: 'store', values: [number * page + 5, 77] })
      t.same(await once(worker, 'message'), [77])
      t.same([...memory.takeDirty()], [number, 1], tracking)
      t.equal(memory.view(number * page + 5, 1)[0], 77)
    }
    memory.close()
  }
})

t.test('stores while pages are taken are found by this take or by the next', async t => {
  for (const tracking of ['write-protect', 'private-mapping'] as const) {
    const [count, rounds] = [64, 40]
    const file = new MappedFile(t, count * page)
    const memory = NativeArenaMemory.map(file.fd, file.size, { tracking })
    const view = memory.view(0, memory.size)
    const taken = Buffer.alloc(memory.size)
    let filling = true
    const ended = (async () => {
      for (let round = 0; round < rounds; round++) await promisify(randomFill)(view)
      filling = false
    })()
    const take = () => {
      const runs = memory.takeDirty()
      const images = memory.copyPages(runs)
      for (const [index, number] of pagesOf(runs).entries())
        images.copy(taken, number * page, index * page, (index + 1) * page)
      return runs.length
    }
    while (filling) {
      take()
      await setImmediate()
    }
    await ended
    take()
    sameBytes(t, taken, view, `${tracking}: what was taken adds up to the memory`)
    t.equal(take(), 0)
    memory.close()
  }
})

t.test('the data file is not written, and shows through where nobody has stored', async t => {
  const file = new MappedFile(t, 4 * page)
  const memory = NativeArenaMemory.map(file.fd, file.size)
  memory.view(0, 2 * page).fill(9)
  sameBytes(t, file.content(), new Uint8Array(file.size), 'the file is as it was')
  memory.load(3, Buffer.alloc(page, 5))
  t.equal(file.content()[3 * page], 0)
  writeSync(file.fd, Buffer.alloc(page, 4), 0, page, 2 * page)
  t.equal(memory.view(2 * page, 1)[0], 4)
  t.same([...memory.takeDirty()], [0, 2], 'what comes from the file is no change')
  memory.close()
})

t.test('a file that shrinks is an error and not the end of the process', async t => {
  for (const tracking of trackings) {
    const calls: ((memory: NativeArenaMemory) => unknown)[] = [
      memory => memory.takeDirty(),
      memory => memory.copyPages(Uint32Array.of(7, 1)),
      memory => memory.load(0, new Uint8Array(page)),
      memory => memory.mark(0, 1),
      memory => memory.extend(16 * page),
    ]
    for (const call of calls) {
      const file = new MappedFile(t, 8 * page)
      const memory = NativeArenaMemory.map(file.fd, file.size, { tracking, reservation: 16 * page })
      const view = memory.view(0, memory.size)
      view[0] = 1
      file.truncate(2 * page)
      view[7 * page] = 1
      t.equal(view[7 * page], 1)
      t.match(memory.failure, { code: 'ERR_POOL_TRUNCATED' })
      t.throws(() => call(memory), { code: 'ERR_POOL_TRUNCATED' }, tracking)
      memory.close()
    }
    const file = new MappedFile(t, 8 * page)
    const memory = NativeArenaMemory.map(file.fd, file.size, { tracking })
    file.truncate(2 * page)
    t.throws(() => memory.copyPages(Uint32Array.of(7, 1)), { code: 'ERR_POOL_TRUNCATED' }, 'met by the copy itself')
    memory.close()
  }
})

t.test('what cannot be mapped leaves nothing mapped', async t => {
  const file = new MappedFile(t, 2 * page)
  t.throws(() => NativeArenaMemory.map(-1, page), { code: 'ERR_MAP' })
  t.throws(() => NativeArenaMemory.map(file.fd, 0), { code: 'ERR_MAP' })
  t.throws(() => NativeArenaMemory.map(file.fd, page + 1), { code: 'ERR_MAP' })
  t.throws(() => NativeArenaMemory.map(file.fd, page, { tracking: 'guessing' as Tracking }), { code: 'ERR_TRACKING' })
  t.equal(file.mapped, false)
})

t.test('views that outlive the memory do not keep its file', async t => {
  const file = new MappedFile(t, 2 * page)
  const memory = NativeArenaMemory.map(file.fd, file.size)
  const view = memory.view(0, 2 * page)
  view[0] = 1
  memory.close()
  t.equal(view.length, 0)
  t.equal(file.mapped, false)
})

t.test('a machine without asynchronous write protection gets the next best, and is told why', async t => {
  const machine = new Preloaded(t, 'no-userfaultfd.c')
  const run = (...tracking: string[]) => {
    const file = new MappedFile(t, 8 * page)
    const { stdout, stderr } = machine.run(new URL('tracking-child.js', import.meta.url), file.path, ...tracking)
    t.equal(stderr, '')
    return JSON.parse(stdout)
  }
  t.match(run(), {
    tracking: 'private-mapping',
    dirty: [3, 1],
    reasons: [
      { tracking: 'write-protect', chosen: false, why: /^EPERM: .*userfaultfd/ },
      { tracking: 'private-mapping', chosen: true },
      { tracking: 'marking', chosen: false, why: 'a better one was found' },
    ],
  })
  t.match(run('write-protect'), { code: 'ERR_TRACKING', cause: 'EPERM' })
})
