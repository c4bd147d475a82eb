import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { hasCode } from '../../core/index.js'
import { attachLanes, type Lanes, type LanesToken, type Service } from '../../fabric-native/index.js'
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

interface Errand {
  readonly end: string
  /** Of lanes that another thread has opened. */
  readonly token?: LanesToken
}

async function inWorker({ end, token }: Errand): Promise<void> {
  if (end === 'deaf terminated') return neverTold()
  const lanes = token === undefined ? (await open()).lanes : attachLanes(token)
  kept.push(lanes)
  if (end === 'owner') {
    parentPort?.on('message', () => {})
    parentPort?.postMessage(lanes.share())
    return
  }
  if (end.startsWith('busy')) busy(lanes)
  if (end.endsWith('exit')) process.exit(0)
  if (end.endsWith('terminated')) parentPort?.on('message', () => {})
  parentPort?.postMessage('ready')
}

function start(errand: Errand): Worker {
  return new Worker(fileURLToPath(import.meta.url), { workerData: errand })
}

async function worker(end: string, token?: LanesToken): Promise<void> {
  const thread = start(token === undefined ? { end } : { end, token })
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
  async 'attached workers'() {
    const { lanes } = await open()
    busy(lanes)
    const token = lanes.share()
    const ends = ['natural', 'exit', 'busy exit', 'busy terminated']
    await Promise.all(ends.map(end => worker(end, token)))
    lanes.persistSync(4096, 64)
    await lanes.close()
  },
  async 'attached workers when the process exits'() {
    const { lanes } = await open()
    const threads = [0, 1, 2].map(() => start({ end: 'busy terminated', token: lanes.share() }))
    await Promise.all(threads.map(thread => once(thread, 'message')))
    process.exit(0)
  },
  /** What the worker has opened ends with it, for the thread that has attached as well. */
  async 'owner terminated'() {
    const owner = start({ end: 'owner' })
    const [token] = await once(owner, 'message')
    const lanes = attachLanes(token)
    const pending = Array.from({ length: 100 }, () => lanes.persist(0, poolSize))
    const settled = Promise.allSettled(pending)
    await owner.terminate()
    await settled
    const error = await lanes.persist(0, 8).catch((reason: unknown) => reason)
    if (!hasCode(error, 'ERR_CLOSED')) process.exitCode = 9
  },
  async 'many workers'() {
    await Promise.all(Array.from({ length: 4 }, () => worker('busy terminated')))
  },
}

if (isMainThread) await scenarios[process.argv[2] ?? '']?.()
else await inWorker(workerData)
