import { once } from 'node:events'
import { openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { attachMemory, type MemoryToken, NativeMemory } from '../../fabric-native/index.js'

/** A process that ends with memory open, in the way its first argument names; the second is a file of one page. */

interface Errand {
  readonly token?: MemoryToken
  readonly path?: string
  readonly end: 'natural' | 'exit' | 'wait'
}

const kept: unknown[] = []

function map(path: string): NativeMemory {
  const memory = NativeMemory.map([{ fd: openSync(path, 'r+'), offset: 0, length: 4096 }])
  keepInUse(memory)
  return memory
}

function keepInUse(memory: NativeMemory): void {
  const view = memory.view(0, 8)
  view[0] = 1
  memory.flush(0, 8)
  kept.push(memory, view)
}

function inWorker({ token, path, end }: Errand): void {
  if (token !== undefined) keepInUse(attachMemory(token))
  if (path !== undefined) map(path)
  if (end === 'exit') process.exit(0)
  if (end === 'wait') parentPort?.on('message', () => {})
  parentPort?.postMessage('ready')
}

async function worker(errand: Errand): Promise<void> {
  const thread = new Worker(fileURLToPath(import.meta.url), { workerData: errand })
  const exited = once(thread, 'exit')
  if (errand.end === 'wait') {
    await once(thread, 'message')
    await thread.terminate()
  }
  await exited
}

const scenarios: Record<string, (path: string) => unknown> = {
  natural: map,
  exit(path) {
    map(path)
    process.exit(0)
  },
  exception(path) {
    map(path)
    throw new Error('on purpose')
  },
  worker: path => worker({ token: map(path).share(), end: 'natural' }),
  'worker-exit': path => worker({ token: map(path).share(), end: 'exit' }),
  'worker-terminated': path => worker({ token: map(path).share(), end: 'wait' }),
  // The addon is loaded by a thread only: its handler must outlive the thread.
  async 'worker-alone'(path) {
    await worker({ path, end: 'natural' })
    await worker({ path, end: 'exit' })
    kept.push(new Uint8Array(1 << 20).fill(1))
  },
}

if (isMainThread) await scenarios[process.argv[2] ?? '']?.(process.argv[3] ?? '')
else inWorker(workerData)
