import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { Lanes, Service } from '../../fabric-native/index.js'
import { connectOptions, listenOptions, poolSize } from './compliance.js'
import { nativeBed } from './native-bed.js'

/** A process, or a worker of it, that ends with lanes and a service open in the way its first argument names. */

const bed = nativeBed('tcp', 'rpmem', 'GPSPM')
const kept: unknown[] = []

async function open(): Promise<{ service: Service; lanes: Lanes }> {
  const service = await bed.fabric.listen(listenOptions(bed, bed.memory(poolSize), 2))
  const lanes = await bed.fabric.connect(connectOptions(bed, service, bed.memory(poolSize)))
  await service.connected
  lanes.persistSync(4096, 64)
  kept.push(service, lanes)
  return { service, lanes }
}

function busy(lanes: Lanes): void {
  const again = (): Promise<void> => lanes.persist(4096, 4096).then(again, () => {})
  for (let n = 0; n < 16; n++) void again()
}

/** Keeps its event loop busy until the failure of its service waits there to be told, and for ever after. */
async function neverTold(): Promise<void> {
  kept.push(await bed.fabric.listen({ ...listenOptions(bed, bed.memory(poolSize), 1), acceptTimeoutMs: 10 }))
  const queued = performance.now() + 200
  while (performance.now() < queued);
  parentPort?.postMessage('ready')
  for (;;);
}

async function inWorker(end: string): Promise<void> {
  if (end === 'deaf terminated') return neverTold()
  const { lanes } = await open()
  if (end.startsWith('busy')) busy(lanes)
  if (end.endsWith('exit')) process.exit(0)
  if (end.endsWith('terminated')) parentPort?.on('message', () => {})
  parentPort?.postMessage('ready')
}

async function worker(end: string): Promise<void> {
  const thread = new Worker(fileURLToPath(import.meta.url), { workerData: end })
  const exited = once(thread, 'exit')
  if (end.endsWith('terminated')) {
    await once(thread, 'message')
    await thread.terminate()
  }
  await exited
}

const scenarios: Record<string, () => unknown> = {
  natural: open,
  async exit() {
    busy((await open()).lanes)
    process.exit(0)
  },
  async exception() {
    busy((await open()).lanes)
    setImmediate(() => {
      throw new Error('on purpose')
    })
  },
  async 'listener throws'() {
    const { service, lanes } = await open()
    const alive = setTimeout(() => {}, 10_000)
    lanes.onDown(() => {
      clearTimeout(alive)
      throw new Error('on purpose')
    })
    await service.close()
  },
  async 'closing while it ends'() {
    const { service, lanes } = await open()
    busy(lanes)
    void lanes.close()
    void service.close()
    process.exit(0)
  },
  async forgotten() {
    for (let n = 0; n < 20; n++) await open()
    kept.length = 0
    globalThis.gc?.()
  },
  'worker natural': () => worker('natural'),
  'worker exit': () => worker('exit'),
  'worker busy exit': () => worker('busy exit'),
  'worker terminated': () => worker('terminated'),
  'worker busy terminated': () => worker('busy terminated'),
  'worker deaf terminated': () => worker('deaf terminated'),
  async 'many workers'() {
    await Promise.all(Array.from({ length: 4 }, () => worker('busy terminated')))
  },
}

if (isMainThread) await scenarios[process.argv[2] ?? '']?.()
else await inWorker(workerData)
