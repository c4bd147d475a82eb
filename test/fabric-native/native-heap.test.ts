import t, { type Test } from 'tap'
import { MiB } from '../../core/index.js'
import { NativeHeap, NativeMemory } from '../../fabric-native/index.js'
import { MappedFile, onDisk } from '../fixture/mapped-file.js'

const size = 4 * MiB

function anonymous(t: Test, bytes = size): NativeMemory {
  const memory = NativeMemory.anonymous(bytes)
  t.teardown(() => memory.close())
  return memory
}

/** Blocks of all kinds with content, some of them freed again. */
function populate(heap: NativeHeap, memory: NativeMemory): Map<number, number> {
  const blocks = new Map<number, number>()
  for (let n = 0; n < 500; n++) {
    const bytes = n % 50 === 0 ? 20_000 + n : (n * 37) % 3000
    const offset = heap.malloc(bytes)
    memory.view(offset, bytes).fill(n & 0xff)
    blocks.set(offset, bytes)
  }
  for (const [at, offset] of [...blocks.keys()].entries()) {
    if (at % 3 !== 0) continue
    heap.free(offset)
    blocks.delete(offset)
  }
  return blocks
}

t.test('a heap that was quiesced opens again elsewhere, with all of its blocks', async t => {
  const file = new MappedFile(t, size, onDisk)
  const memory = file.map()
  const heap = NativeHeap.open(memory, { zeroed: true })
  const blocks = populate(heap, memory)
  heap.quiesce()
  const { large, classes } = heap.statistics()
  const contents = [...blocks].map(([offset, bytes]) => Buffer.from(memory.view(offset, bytes)))
  heap.close()
  memory.close()

  const spacer = NativeMemory.anonymous(MiB)
  const again = file.map()
  t.teardown(() => {
    again.close()
    spacer.close()
  })
  const reopened = NativeHeap.open(again, { existing: true })
  t.same(reopened.check(), [])
  t.equal(reopened.statistics().large.live, large.live)
  t.same(
    reopened.statistics().classes.map(each => each.live),
    classes.map(each => each.live),
  )
  const seen = [...blocks].map(([offset, bytes]) => Buffer.from(again.view(offset, bytes)))
  t.ok(seen.every((content, index) => Buffer.compare(content, contents[index] ?? Buffer.alloc(0)) === 0))
  for (const offset of blocks.keys()) reopened.free(offset)
  t.throws(() => reopened.free([...blocks.keys()][0] ?? 0), { code: 'ERR_HEAP_FREED' })
  t.same(reopened.check(), [])
  t.ok(reopened.malloc(3 * MiB) > 0)
  reopened.close()
})

t.test('a heap that went on after quiesce is not taken for one that is in order', async t => {
  const memory = anonymous(t)
  const heap = NativeHeap.open(memory, { zeroed: true })
  heap.malloc(64)
  heap.quiesce()
  heap.malloc(64)
  heap.close()
  t.throws(() => NativeHeap.open(memory, { existing: true }), { code: 'ERR_HEAP_DAMAGED' })
})

t.test('what is no heap, or a damaged one, is refused', async t => {
  const memory = anonymous(t)
  t.throws(() => NativeHeap.open(memory, { existing: true }), { code: 'ERR_HEAP_DAMAGED' })
  const heap = NativeHeap.open(memory, { zeroed: true })
  populate(heap, memory)
  heap.quiesce()
  const { metadata } = heap.statistics()
  heap.close()
  const bytes = memory.view(0, size)
  const accepted: number[] = []
  for (let at = 0; at < metadata; at += 3) {
    const used = at < 4096 || (at - 4096) / 8 < size / 4096
    if (!used) continue
    bytes[at] = (bytes[at] ?? 0) ^ 0x40
    try {
      NativeHeap.open(memory, { existing: true }).close()
      accepted.push(at)
    } catch (error) {
      t.match(error, { code: 'ERR_HEAP_DAMAGED' })
    }
    bytes[at] = (bytes[at] ?? 0) ^ 0x40
  }
  t.same(accepted, [])
  NativeHeap.open(memory, { existing: true }).close()
})

t.test('a heap grows when it is opened over more memory', async t => {
  const memory = anonymous(t, 2 * size)
  const heap = NativeHeap.open(memory, { size, capacity: 2 * size, zeroed: true })
  const offset = heap.malloc(3 * MiB)
  t.throws(() => heap.malloc(3 * MiB), { code: 'ERR_HEAP_EXHAUSTED' })
  heap.quiesce()
  heap.close()
  const again = NativeHeap.open(memory, { size, capacity: 2 * size, zeroed: true, existing: true })
  again.grow(2 * size)
  t.equal(again.usableSize(offset), 3 * MiB)
  t.ok(again.malloc(3 * MiB) > 0)
  t.same(again.check(), [])
  again.close()
})

t.test('a heap that lies in a file that shrank gives errors and lives on', async t => {
  const file = new MappedFile(t, size, '/dev/shm')
  const memory = file.map()
  t.teardown(() => memory.close())
  const heap = NativeHeap.open(memory, { zeroed: true })
  const offsets = Array.from({ length: 100 }, () => heap.malloc(1000))
  file.truncate()
  for (const offset of offsets) t.throws(() => heap.free(offset), /not in use|begins/)
  t.ok(heap.check().length > 0)
  t.match(memory.failure, { code: 'ERR_POOL_TRUNCATED' })
  heap.close()
})
