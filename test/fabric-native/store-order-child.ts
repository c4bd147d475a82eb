import { fstatSync, openSync, readFileSync, writeSync } from 'node:fs'
import { seededRandom } from '../../core/index.js'
import { NativeMemory, nativeFabric } from '../../fabric-native/index.js'
import { withGranularity } from '../fixture/mapped-file.js'
import { connectOptions, listenOptions } from './compliance.js'
import { nativeBed } from './native-bed.js'

/**
 * Runs with store-recorder.c preloaded and says in the record, after each call that makes bytes durable, which ones they are:
 * `script`, path of the file, path of the record, granularity, seed.
 */
const [script = '', path = '', recordPath = '', granularity = '', seed = '1'] = process.argv.slice(2)
const record = openSync(recordPath, 'a')
process.env.RECORD_STORES = String(record)
const fd = openSync(path, 'r+')
const { size } = fstatSync(fd)
const memory = withGranularity(granularity as 'page' | 'cache_line' | 'byte', () =>
  NativeMemory.map([{ fd, offset: 0, length: size }]),
)
const base = Number(/^map (\d+) /m.exec(readFileSync(recordPath, 'latin1'))?.[1])
const random = seededRandom(Number(seed))
const draw = (below: number): number => random.bytes(3).reduce((sum, byte) => sum * 256 + byte, 0) % below

function claim(offset: number, bytes: Uint8Array): void {
  if (bytes.length > 0) writeSync(record, `durable ${base + offset} ${Buffer.from(bytes).toString('hex')}\n`)
}

const claimRange = (offset: number, length: number): void => claim(offset, memory.view(offset, length))

function store(length = 1 + draw(300)): [offset: number, length: number] {
  const offset = draw(size - length)
  memory.view(offset, length).set(random.bytes(length))
  return [offset, length]
}

/** Each way in which memory makes bytes durable. */
const calls: readonly (() => void)[] = [
  () => {
    const range = store()
    memory.persist(...range)
    claimRange(...range)
  },
  () => {
    const ranges = [store(), store(), store(5000)]
    for (const range of ranges) memory.flush(...range)
    memory.drain()
    for (const range of ranges) claimRange(...range)
  },
  () => {
    const range = store()
    memory.deepPersist(...range)
    claimRange(...range)
  },
  () => {
    const bytes = random.bytes(1 + draw(1000))
    const offset = draw(size - bytes.length)
    memory.copyIn(offset, bytes)
    claim(offset, bytes)
  },
  () => {
    const bytes = random.bytes(1 + draw(1000))
    const offset = draw(size - bytes.length)
    memory.copyIn(offset, bytes, { noDrain: true })
    memory.drain()
    claim(offset, bytes)
  },
  () => {
    const bytes = random.bytes(1 + draw(1000))
    const offset = draw(size - bytes.length)
    memory.copyIn(offset, bytes, { noFlush: true })
    memory.persist(offset, bytes.length)
    claim(offset, bytes)
  },
  () => {
    const length = 1 + draw(1000)
    const to = draw(size - length)
    memory.move(to, draw(size - length), length)
    claimRange(to, length)
  },
  () => {
    const length = 1 + draw(5000)
    const offset = draw(size - length)
    memory.fill(offset, draw(256), length)
    claimRange(offset, length)
  },
]

/** A record, and behind it the flag that it is complete; each durable before the next begins. */
function commit(): void {
  for (let slot = 0; slot < 6; slot++) {
    memory.view(slot * 256, 100).fill(slot + 1)
    memory.persist(slot * 256, 100)
    memory.view(slot * 256 + 128, 1)[0] = 1
    memory.persist(slot * 256 + 128, 1)
  }
}

/** What an initiator has persisted is durable in the memory of the target. */
async function target(): Promise<void> {
  const bed = nativeBed('tcp', 'rpmem', 'GPSPM')
  const local = NativeMemory.anonymous(size)
  const service = await nativeFabric.listen(listenOptions(bed, memory, 2))
  const lanes = await nativeFabric.connect(connectOptions(bed, service, local))
  await service.connected
  for (let n = 0; n < 40; n++) {
    const length = 1 + draw(n % 8 === 0 ? 30_000 : 500)
    const offset = draw(size - length)
    const bytes = random.bytes(length)
    local.view(offset, length).set(bytes)
    if (n % 3 === 0) await lanes.persist(offset, length, { lane: n % 2 })
    else if (n % 3 === 1) lanes.persistSync(offset, length, { lane: n % 2, deep: n % 2 === 0 })
    else {
      lanes.flush(offset, length)
      lanes.drainSync()
    }
    claim(offset, bytes)
  }
  await lanes.close()
  await service.close()
}

if (script === 'calls') for (let n = 0; n < 80; n++) calls[n % calls.length]?.()
if (script === 'commit') commit()
if (script === 'target') await target()
