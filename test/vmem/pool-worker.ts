import { parentPort, workerData } from 'node:worker_threads'
import { hasCode } from '../../core/index.js'
import { Vmem, type VmemToken } from '../../vmem/index.js'

interface Errand {
  readonly name: string
  readonly values: readonly number[]
}

const vmem = Vmem.attach(workerData as VmemToken)

/** Random blocks, each filled with a mark of its own, looked at and freed again; answers how many there were. */
function hammer(rounds: number, seed: number): number {
  let state = seed
  const random = (limit: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % limit
  }
  const blocks: { offset: number; size: number; mark: number }[] = []
  let count = 0
  const drop = (at: number) => {
    const block = blocks[at]
    if (!block) return
    const bytes = vmem.view(block.offset, block.size)
    if (bytes.some(byte => byte !== block.mark)) throw new Error(`the block at ${block.offset} was disturbed`)
    vmem.freeOffset(block.offset)
    blocks[at] = blocks.at(-1) ?? block
    blocks.pop()
  }
  for (let round = 0; round < rounds; round++) {
    const size = random(10) === 0 ? random(60_000) : random(600)
    const mark = 1 + random(255)
    try {
      const offset = random(5) === 0 ? vmem.callocOffset(1, size) : vmem.mallocOffset(size)
      vmem.view(offset, size).fill(mark)
      blocks.push({ offset, size, mark })
      count++
    } catch (error) {
      if (!hasCode(error, 'ERR_HEAP_EXHAUSTED')) throw error
    }
    if (random(3) > 0) drop(random(blocks.length + 1))
  }
  while (blocks.length > 0) drop(0)
  return count
}

const errands: Record<string, (...values: number[]) => unknown> = {
  malloc: (size = 0) => vmem.mallocOffset(size),
  'malloc many': (size = 0, count = 0) => Array.from({ length: count }, () => vmem.mallocOffset(size)),
  free: (...offsets) => {
    for (const offset of offsets) vmem.freeOffset(offset)
    return offsets.length
  },
  fill: (offset = 0, byte = 0) => vmem.view(offset).fill(byte).length,
  hammer: (rounds = 0, seed = 0) => hammer(rounds, seed),
  close: () => {
    vmem.closeSync()
    return vmem.closed
  },
}

function attempt({ name, values }: Errand): unknown {
  try {
    return errands[name]?.(...values)
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : String(error)
  }
}

parentPort?.on('message', errand => parentPort?.postMessage(attempt(errand)))
