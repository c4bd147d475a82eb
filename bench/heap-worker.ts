import { parentPort, workerData } from 'node:worker_threads'
import { Vmem, type VmemToken } from '../vmem/index.js'

export interface HeapErrand {
  readonly bytes: number
  readonly milliseconds: number
}

const vmem = Vmem.attach(workerData as VmemToken)

/** Pairs a second. */
function pairs({ bytes, milliseconds }: HeapErrand): number {
  const begin = performance.now()
  let count = 0
  while (performance.now() - begin < milliseconds) {
    for (let n = 0; n < 1000; n++) vmem.freeOffset(vmem.mallocOffset(bytes))
    count += 1000
  }
  return (count * 1000) / (performance.now() - begin)
}

parentPort?.on('message', (errand: HeapErrand) => parentPort?.postMessage(pairs(errand)))
parentPort?.postMessage('ready')
