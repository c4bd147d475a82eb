import { parentPort, workerData } from 'node:worker_threads'
import { isRpmemError } from '../../core/index.js'
import { attachMemory } from '../../fabric-native/index.js'

const memory = attachMemory(workerData)
let view: Uint8Array = new Uint8Array(0)

/** Looks at the words of a range until the last byte of the memory becomes 1: each must be all zeros or all ones. */
function watchWords(first: number, end: number): { torn: number; rounds: number } {
  const words = new BigUint64Array(view.buffer, first, (end - first) / 8)
  const whole = new Set([0n, 2n ** 64n - 1n])
  parentPort?.postMessage('watching')
  let [torn, rounds] = [0, 0]
  while (view.at(-1) !== 1) {
    for (const word of words) if (!whole.has(word)) torn++
    rounds++
  }
  return { torn, rounds }
}

/** Stores, flushes, persists and drains all over the memory; each thread owns every second page. */
function hammer(parity: number, rounds: number): number {
  const pages = memory.size / 4096 / 2
  for (let round = 0; round < rounds; round++) {
    const at = (((round * 7) % pages) * 2 + parity) * 4096
    memory.fill(at, round & 0xff, 100, { noFlush: true })
    if (round % 3 === 0) memory.persist(at, 100)
    else memory.flush(at, 100)
    if (round % 5 === 0) memory.drain()
  }
  return rounds
}

const errands: Record<string, (...values: number[]) => unknown> = {
  load: (at = 0) => memory.view(at, 1)[0],
  store(at = 0, byte = 0) {
    memory.view(at, 1)[0] = byte
    return byte
  },
  'keep view'() {
    view = memory.view(0, memory.size)
  },
  'store in view'(byte = 0) {
    view[0] = byte
    return view[0]
  },
  'watch words': (first = 0, end = 0) => watchWords(first, end),
  hammer: (parity = 0, rounds = 0) => hammer(parity, rounds),
  persist: (offset = 0, length = 0) => memory.persist(offset, length),
  close() {
    memory.close()
    return memory.closed
  },
}

function attempt({ errand, values }: { errand: string; values: number[] }): unknown {
  try {
    return errands[errand]?.(...values)
  } catch (error) {
    if (isRpmemError(error)) return error.code
    throw error
  }
}

parentPort?.on('message', message => parentPort?.postMessage(attempt(message)))
