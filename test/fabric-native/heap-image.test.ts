import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { MiB } from '../../core/index.js'
import { NativeHeap, NativeMemory } from '../../fabric-native/index.js'
import { MappedFile } from '../fixture/mapped-file.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { imageCapacity, liveBlocks, openImage, readImage, requireMark } from './heap-image.js'

const seed = Number(process.env.RPMEM_TEST_SEED ?? 15)

/** Lives until it has told of so many images, and is killed while it works on. */
async function killed(path: string, images: number, lifeSeed: number): Promise<string> {
  const script = fileURLToPath(new URL('heap-image-child.js', import.meta.url))
  const child = spawn(process.execPath, [script, path, String(lifeSeed)], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const closed = once(child, 'close', { signal: AbortSignal.timeout(60_000) })
  createInterface(child.stdout).on('line', line => {
    if (Number(line) === images) child.kill('SIGKILL')
  })
  const [, signal] = await closed
  return `${signal}${stderr}`
}

t.test(
  `a killed process leaves a heap with all of its blocks in the last image, seed ${seed}`,
  { timeout: 120_000 },
  async t => {
    const path = join(temporaryFolder(t), 'image')
    let grown = 0
    for (let life = 0; life < 12; life++) {
      t.equal(await killed(path, 1 + ((seed + life * 7) % 11), seed + life), 'SIGKILL', `life ${life}`)
      const image = readImage(path)
      const { memory, heap } = openImage(image)
      grown = Math.max(grown, heap.size)
      for (const { offset } of image.blocks) heap.free(offset)
      t.same(heap.check(), [], `life ${life}: ${image.blocks.length} blocks freed`)
      t.equal(liveBlocks(heap), 0)
      heap.quiesce()
      const { size, metadata, free } = heap.statistics()
      t.equal(metadata + free, size, 'nothing is lost')
      heap.close()
      memory.close()
    }
    t.equal(grown, imageCapacity, 'it has grown on the way')
  },
)

t.test('quiesce changes nothing in what is in order', async t => {
  const memory = NativeMemory.anonymous(2 * MiB)
  t.teardown(() => memory.close())
  const heap = NativeHeap.open(memory, { zeroed: true })
  const offsets = [64, 64, 5000].map(size => heap.malloc(size))
  heap.free(offsets[0] ?? 0)
  heap.quiesce()
  const before = Buffer.from(memory.view(0, memory.size))
  heap.quiesce()
  heap.close()
  NativeHeap.open(memory, { existing: true, zeroed: true }).quiesce()
  t.equal(Buffer.compare(before, memory.view(0, memory.size)), 0)
})

t.test('a heap grows into memory that was extended after it was opened', async t => {
  const file = new MappedFile(t, 4 * MiB)
  const memory = NativeMemory.map([{ fd: file.fd, offset: 0, length: MiB }], 4 * MiB)
  t.teardown(() => memory.close())
  const heap = NativeHeap.open(memory, { capacity: 4 * MiB, zeroed: true })
  const first = { offset: heap.malloc(500_000), size: 500_000, mark: 7 }
  memory.view(first.offset, first.size).fill(first.mark)
  t.throws(() => heap.grow(4 * MiB), { code: 'ERR_HEAP_SIZE' })
  memory.extend([{ fd: file.fd, offset: MiB, length: 3 * MiB }])
  heap.grow(4 * MiB)
  const second = heap.malloc(2 * MiB)
  memory.view(second, 2 * MiB).fill(8)
  requireMark(memory, first)
  t.throws(() => heap.grow(5 * MiB), { code: 'ERR_HEAP_SIZE' })
  t.same(heap.check(), [])
  heap.close()
})

t.test('an image of a heap that gave space back opens where there is no file', async t => {
  const file = new MappedFile(t, 4 * MiB)
  const memory = file.map()
  const heap = NativeHeap.open(memory, { zeroed: true, fd: file.fd })
  const kept = heap.malloc(100)
  const large = heap.malloc(2 * MiB)
  memory.view(large, 2 * MiB).fill(1)
  heap.free(large)
  t.ok(heap.purge() >= 2 * MiB)
  heap.quiesce()
  const elsewhere = NativeMemory.anonymous(4 * MiB)
  t.teardown(() => elsewhere.close())
  elsewhere.copyIn(0, memory.view(0, 4 * MiB))
  heap.close()
  memory.close()
  const again = NativeHeap.open(elsewhere, { existing: true, zeroed: true })
  t.ok(again.statistics().holes >= 2 * MiB)
  const zeros = again.calloc(3 * MiB)
  t.equal(
    elsewhere.view(zeros, 3 * MiB).findIndex(byte => byte !== 0),
    -1,
  )
  t.equal(again.usableSize(kept), 112)
  t.same(again.check(), [])
  again.close()
})
