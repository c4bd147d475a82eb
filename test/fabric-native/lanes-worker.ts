import { parentPort, workerData } from 'node:worker_threads'
import { isRpmemError } from '../../core/index.js'
import { attachLanes, attachMemory } from '../../fabric-native/index.js'
import { byteOf, type Errand, piece } from './lanes-errand.js'

const errand = workerData as Errand
const lanes = attachLanes(errand.lanes)
const memory = attachMemory(errand.memory)
const pieces = errand.length / piece
const patient = { deadlineMs: 60_000 }

const placeOf = (index: number): number => errand.offset + (index % pieces) * piece

function store(index: number, round: number): number {
  const at = placeOf(index)
  memory.fill(at, byteOf(at, round), piece, { noFlush: true })
  return at
}

/** Every piece in each way there is, the last round in another way than the one before. */
async function write(): Promise<void> {
  for (let index = 0; index < pieces; index++) lanes.persistSync(store(index, 1), piece, patient)
  const pending: Promise<void>[] = []
  for (let index = 0; index < pieces; index++) pending.push(lanes.persist(store(index, 2), piece, patient))
  await Promise.all(pending)
  for (let index = 0; index < pieces; index++) {
    lanes.flush(store(index, 3), piece)
    if (index % 16 === 15) lanes.drainSync(patient)
  }
  await lanes.drain(patient)
  for (let index = 0; index < pieces; index += 2) {
    const tickets = [store(index, 4), store(index + 1, 4)].map(at => lanes.start(at, piece, patient))
    lanes.finishSync(tickets[1] ?? 0)
    await lanes.finish(tickets[0] ?? 0)
  }
}

/** Never ends by itself. */
function busy(): void {
  const again = (index: number): Promise<void> =>
    lanes.persist(placeOf(index), piece).then(() => again(index + 1), tell)
  for (let index = 0; index < 16; index++) void again(index)
  lanes.start(errand.offset, errand.length)
}

/** Goes on after the lanes were closed, and tells when each of its promises has been settled. */
async function stubborn(): Promise<void> {
  const chain = async (index: number) => {
    let failures = 0
    for (let round = 0; failures < 200; round++) {
      await lanes.persist(placeOf(index + round), piece).catch(() => failures++)
    }
  }
  await Promise.all(Array.from({ length: 16 }, (_, index) => chain(index)))
  parentPort?.postMessage('all settled')
}

function blocked(): void {
  try {
    for (let index = 0; ; index++) lanes.persistSync(placeOf(index), piece, { lane: index % lanes.count })
  } catch (error) {
    tell(error)
  }
}

/** With answers that nobody has asked for yet, and flushes that nobody drains. */
async function careless(): Promise<void> {
  for (let index = 0; index < 1000; index++) lanes.flush(placeOf(index), piece)
  for (let index = 0; index < 8; index++) lanes.start(errand.offset, errand.length)
}

function tell(error: unknown): void {
  parentPort?.postMessage(isRpmemError(error) ? error.code : String(error))
}

const errands: Readonly<Record<string, () => unknown>> = {
  async write() {
    await write()
    parentPort?.postMessage('written')
    await lanes.close()
    memory.close()
  },
  busy() {
    busy()
    parentPort?.postMessage('at work')
  },
  stubborn() {
    const settled = stubborn()
    parentPort?.postMessage('at work')
    return settled
  },
  blocked() {
    lanes.persistSync(errand.offset, piece)
    parentPort?.postMessage('at work')
    blocked()
  },
  async careless() {
    await careless()
    parentPort?.postMessage('at work')
  },
  /** Hears of the end of the lanes only. */
  idle() {
    const holding = setTimeout(() => {}, 30_000)
    lanes.onDown(error => {
      clearTimeout(holding)
      tell(error)
    })
    parentPort?.postMessage('at work')
  },
}

await errands[errand.name]?.()
