import t, { type Test } from 'tap'
import { KiB, MiB, pageSize } from '../../core/index.js'
import { attachLanes, type Lanes, type NativeMemory, nativeFabric, type Service } from '../../fabric-native/index.js'
import { inMemory, MappedFile, onDisk, withGranularity } from '../fixture/mapped-file.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { connectOptions, contentOf, listenOptions, mark } from './compliance.js'
import { nativeBed } from './native-bed.js'

const bed = nativeBed('tcp', 'rpmem', 'GPSPM')
const size = 4 * MiB

interface Bed {
  readonly file: MappedFile
  readonly local: NativeMemory
  readonly lanes: Lanes
  readonly service: Service
}

async function serveFile(
  t: Test,
  under: string,
  map = (file: MappedFile) => file.map(),
  inlineSize = 8192,
): Promise<Bed> {
  const file = new MappedFile(t, size, under)
  const remote = map(file)
  const local = bed.memory(size) as NativeMemory
  const service = await nativeFabric.listen({ ...listenOptions(bed, remote, 2), inlineSize })
  const lanes = await nativeFabric.connect({ ...connectOptions(bed, service, local), inlineSize })
  await service.connected
  t.teardown(async () => {
    await lanes.close()
    await service.close()
    remote.close()
    local.close()
  })
  return { file, local, lanes, service }
}

const storages: Record<string, [string, (file: MappedFile) => NativeMemory]> = {
  'a file in memory': [inMemory, file => file.map()],
  'a file on a disk': [onDisk, file => file.map()],
  'a file treated as persistent memory': [onDisk, file => withGranularity('cache_line', () => file.map())],
}

for (const [name, [under, map]] of Object.entries(storages)) {
  t.test(`what was persisted is in ${name}`, async t => {
    const { file, local, lanes } = await serveFile(t, under, map)
    const expected = mark(local, pageSize, 1_000_000)
    lanes.persistSync(pageSize, 100)
    lanes.persistSync(pageSize + 100, 99_900, { relaxed: true })
    for (let at = 100_000; at < 200_000; at += 1000) lanes.flush(pageSize + at, 1000, { relaxed: at % 3000 === 0 })
    lanes.drainSync()
    await Promise.all(Array.from({ length: 80 }, (_, n) => lanes.persist(pageSize + 200_000 + n * 10_000, 10_000)))
    lanes.persistSync(pageSize, 1_000_000, { deep: true, lane: 1 })
    sameBytes(t, file.content().subarray(pageSize, pageSize + 1_000_000), expected, 'the bytes are in the file')
  })
}

for (const [name, [under, map]] of Object.entries(storages)) {
  t.test(`a large range is in ${name} exactly, wherever it begins and ends`, async t => {
    const { file, local, lanes } = await serveFile(t, under, map, 256 * KiB)
    const contents = [mark(local, 0, MiB), mark(local, 0, MiB, 1)]
    let round = 0
    for (const shift of [0, 1, 8, 63]) {
      for (const length of [64 * KiB, 64 * KiB + 63, 200_001, 600_013]) {
        const before = Buffer.from(file.content())
        const [from, until] = [pageSize + shift, pageSize + shift + length]
        local.view(0, MiB).set(contents[round++ % 2] ?? [])
        lanes.persistSync(from, length)
        const expected = Buffer.concat([
          before.subarray(0, from),
          contentOf(local, from, length),
          before.subarray(until),
        ])
        sameBytes(t, file.content(), expected, `${length} bytes at ${from}`)
      }
    }
  })
}

t.test('storage that fails under a large range is told as well', async t => {
  const { file, lanes } = await serveFile(t, inMemory, undefined, 256 * KiB)
  file.truncate(pageSize)
  await t.rejects(lanes.persist(pageSize, 200_000), refused)
})

const refused = { code: 'ERR_TARGET_STORAGE', durability: 'unknown', facts: { errno: 14 } }

t.test('storage that fails is told to whoever persists, and the lane goes on', async t => {
  const { file, lanes } = await serveFile(t, inMemory)
  lanes.persistSync(pageSize, 64)
  file.truncate(pageSize)
  t.throws(() => lanes.persistSync(2 * pageSize, 64), refused)
  await t.rejects(lanes.persist(2 * pageSize, 64), refused)
  lanes.flush(2 * pageSize, 64)
  t.throws(() => lanes.drainSync(), refused)
  lanes.flush(2 * pageSize, 64)
  await t.rejects(lanes.drain(), refused)
  t.throws(() => lanes.persistSync(0, 64), refused, 'the memory stays failed')
  t.equal(lanes.down, undefined)
})

t.test('flushes sent before their drain report their failure through it, once', async t => {
  const { file, lanes } = await serveFile(t, inMemory)
  file.truncate(pageSize)
  for (let at = 0; at < 2000; at++) lanes.flush(2 * pageSize + (at % 4000) * 128, 64)
  t.throws(() => lanes.drainSync(), refused)
  lanes.drainSync()
  t.equal(lanes.down, undefined)
})

t.test('the failure of flushes is told to the thread that has flushed, and to no other', async t => {
  for (let round = 0; round < 5; round++) {
    const { file, lanes } = await serveFile(t, inMemory)
    const other = attachLanes(lanes.share())
    file.truncate(pageSize)
    for (let at = 0; at < 2000; at++) lanes.flush(2 * pageSize + (at % 4000) * 128, 64)
    // Behind them on the same lane, while they are under way.
    other.drainSync({ lane: 0 })
    await other.drain({ lane: 0 })
    t.throws(() => lanes.drainSync(), refused)
    await other.close()
  }
})

t.test('memory that fails at the initiator is not sent', async t => {
  const source = new MappedFile(t, size, inMemory)
  const local = source.map()
  const remote = bed.memory(size)
  const service = await nativeFabric.listen(listenOptions(bed, remote, 1))
  const lanes = await nativeFabric.connect(connectOptions(bed, service, local))
  const expected = mark(local, pageSize, 64)
  lanes.persistSync(pageSize, 64)
  source.truncate(0)
  t.throws(() => lanes.persistSync(pageSize, 64), { code: 'ERR_POOL_TRUNCATED' })
  sameBytes(t, remote.view(pageSize, 64), expected, 'the target keeps what it had')
  await lanes.close()
  await service.close()
})
