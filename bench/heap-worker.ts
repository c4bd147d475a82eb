import { parentPort, workerData } from 'node:worker_threads'
import { Vmem, type VmemToken } from '../vmem/index.js'

export interface HeapErrand {
  readonly bytes: number
  readonly milliseconds: number
}

const vmem = Vmem.attach(workerData as VmemToken)

/** Pairs a second, of the median of short batches: what a thread does while nobody else has its core. */
function pairs({ bytes, milliseconds }: HeapErrand): number {
  const begin = performance.now()
  const samples: number[] = []
  while (performance.now() - begin < milliseconds) {
    const batch = process.hrtime.bigint()
    for (let n = 0; n < 500; n++) vmem.freeOffset(vmem.mallocOffset(bytes))
    samples.push(Number(process.hrtime.bigint() - batch))
  }
  samples.sort((a, b) => a - b)
  return (500 * 1e9) / (samples[Math.floor(samples.length / 2)] ?? Number.NaN)
}

parentPort?.on('message', (errand: HeapErrand) => parentPort?.postMessage(pairs(errand)))
parentPort?.postMessage('ready')
