import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { hasCode, MiB } from '../../core/index.js'
import { NativeHeap, NativeMemory } from '../../fabric-native/index.js'
import { imageCapacity, type MarkedBlock, openImage, readImage, requireMark, writeImage } from './heap-image.js'

/**
 * A process whose heap goes on where the last image ends: two threads allocate, resize and free each other's blocks; then an
 * image is written, its number printed, and so on until somebody kills it. Arguments: path of the image, seed.
 */
class Hand {
  blocks: MarkedBlock[] = []
  readonly #memory: NativeMemory
  readonly #heap: NativeHeap
  #state: number

  constructor(memory: NativeMemory, heap: NativeHeap, seed: number) {
    this.#memory = memory
    this.#heap = heap
    this.#state = seed
  }

  work(steps: number): void {
    for (let step = 0; step < steps; step++) {
      try {
        if (this.#random(100) < 55) this.#allocate()
        else this.#release()
      } catch (error) {
        if (!hasCode(error, 'ERR_HEAP_EXHAUSTED')) throw error
        this.#grow()
      }
    }
  }

  #random(limit: number): number {
    this.#state = (Math.imul(this.#state, 1103515245) + 12345) >>> 0
    return (this.#state >>> 8) % limit
  }

  #allocate(): void {
    const size = 1 + this.#random(this.#random(8) === 0 ? 30_000 : 500)
    const block = { offset: this.#heap.malloc(size), size, mark: 1 + this.#random(255) }
    this.#memory.view(block.offset, size).fill(block.mark)
    this.blocks.push(block)
  }

  #release(): void {
    const at = this.#random(this.blocks.length + 1)
    const block = this.blocks[at]
    if (!block) return
    requireMark(this.#memory, block)
    this.#heap.free(block.offset)
    this.blocks[at] = this.blocks.at(-1) ?? block
    this.blocks.pop()
  }

  #grow(): void {
    const size = this.#heap.size + MiB
    if (size <= imageCapacity) this.#heap.grow(size)
    for (let n = 0; n < 50; n++) this.#release()
  }
}

function open(path: string): { memory: NativeMemory; heap: NativeHeap; blocks: readonly MarkedBlock[] } {
  if (existsSync(path)) {
    const image = readImage(path)
    return { ...openImage(image), blocks: image.blocks }
  }
  const memory = NativeMemory.anonymous(imageCapacity)
  const heap = NativeHeap.open(memory, { size: MiB, capacity: imageCapacity, zeroed: true })
  return { memory, heap, blocks: [] }
}

async function live(path: string, seed: number): Promise<void> {
  const { memory, heap, blocks } = open(path)
  const hand = new Hand(memory, heap, seed)
  hand.blocks.push(...blocks)
  const tokens = { memory: memory.share(), heap: heap.share(), seed: seed + 1 }
  const other = new Worker(fileURLToPath(import.meta.url), { workerData: tokens })
  for (let image = 1; ; image++) {
    const half = hand.blocks.splice(0, hand.blocks.length / 2)
    other.postMessage(half)
    hand.work(400)
    hand.blocks.push(...(await once(other, 'message'))[0])
    heap.quiesce()
    writeImage(path, memory, hand.blocks)
    process.stdout.write(`${image}\n`)
  }
}

function assist(): void {
  const memory = NativeMemory.attach(workerData.memory)
  const hand = new Hand(memory, NativeHeap.attach(workerData.heap), workerData.seed)
  parentPort?.on('message', (blocks: MarkedBlock[]) => {
    hand.blocks = blocks
    hand.work(400)
    parentPort?.postMessage(hand.blocks)
  })
}

if (isMainThread) await live(process.argv[2] ?? '', Number(process.argv[3]))
else assist()
