import { existsSync, fstatSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  createReplicaParts,
  nativeStorage,
  Pool,
  removePart,
  removeReplicaParts,
  type Storage,
} from '../../pool/index.js'
import { type FileFacts, type PoolSet, parsePoolSet } from '../../poolset/index.js'
import { pattern } from '../fabric-native/memory-compliance.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { mapAs, scratch } from './scratch.js'

const MiB = 1024 * 1024
const page = 4096

/**
 * Files that pass for devices: what sysfs and libpmem2 say of them is made up here, reading and writing them by system calls is
 * made to fail, and memory over them is durable by cache flush. Only the mapping is real.
 */
class Devices {
  readonly at: string
  readonly #alignments = new Map<string, number>()

  constructor(t: Test) {
    mapAs(t, 'dax')
    this.at = scratch(t)
  }

  add(name: string, size: number, alignment = 2 * MiB, content = 0): string {
    const path = join(this.at, name)
    writeFileSync(path, '')
    truncateSync(path, size)
    if (content !== 0) writeFileSync(path, Buffer.alloc(size, content))
    this.#alignments.set(path, alignment)
    return path
  }

  set(...lines: string[]): PoolSet {
    return parsePoolSet(['PMEMPOOLSET', ...lines, ''].join('\n'), { facts: this.#facts })
  }

  readonly #facts: FileFacts = {
    look: path =>
      this.#alignments.has(path) ? { kind: 'device-dax', size: readFileSync(path).length } : { kind: 'missing' },
    list: () => [],
  }

  readonly storage: Storage = {
    ...nativeStorage,
    allocate: async () => {
      throw new Error('a device has all its space')
    },
    device: fd => {
      const path = this.#pathOf(fd)
      const alignment = this.#alignments.get(path)
      return alignment === undefined ? undefined : { size: readFileSync(path).length, alignment }
    },
    map: (pieces, reservation) => {
      for (const { fd, offset, length } of pieces) {
        const alignment = this.#alignments.get(this.#pathOf(fd)) ?? page
        if (offset % alignment !== 0 || length % alignment !== 0) throw new Error('not in units of the device')
      }
      return nativeStorage.map(pieces, reservation)
    },
  }

  #pathOf(fd: number): string {
    return [...this.#alignments.keys()].find(path => sameFile(path, fd)) ?? ''
  }
}

const id = '0123456789abcdef0123456789abcdef'
const current = { id, number: 1, since: new Date(0).toISOString(), writer: 'node 1', why: 'created' } as const
const record = { lineage: { pool: id, current, ancestors: [] }, closed: true, syncing: false, touched: false }

const sameFile = (path: string, fd: number): boolean => statSync(path).ino === fstatSync(fd).ino

t.test('a pool on a device takes all of it, is durable by cache flush, and comes back', async t => {
  const devices = new Devices(t)
  const device = devices.add('dax0.0', 16 * MiB)
  const set = devices.set(`AUTO ${device}`)
  const { storage } = devices
  const pool = await Pool.create(set, { storage, signature: 'ONDEVICE' })
  t.equal(pool.size, 16 * MiB - page)
  t.equal(pool.replicas[0]?.method, 'dax')
  pool.memcpyPersistSync(100, pattern(5000))
  pool.deepPersistSync(0, pool.size)
  await t.rejects(Pool.open(set, { storage }), { code: 'ERR_POOL_BUSY' })
  await pool.close()
  const again = await Pool.open(set, { storage, signature: 'ONDEVICE' })
  sameBytes(t, again.view(100, 5000), pattern(5000), 'what was persisted')
  await again.close()
  await t.rejects(Pool.create(set, { storage }), { code: 'ERR_PART_EXISTS' })
})

t.test('the size may be written, but must be that of the device', async t => {
  const devices = new Devices(t)
  const device = devices.add('dax0.0', 8 * MiB)
  const { storage } = devices
  const wrong = Pool.create(devices.set(`6M ${device}`), { storage })
  await t.rejects(wrong, { code: 'ERR_PART_SIZE', message: /the device has 8388608/ })
  await (await Pool.create(devices.set(`8M ${device}`), { storage })).close()
})

t.test('several devices need SINGLEHDR, unless their alignment is that of a page', async t => {
  const devices = new Devices(t)
  const { storage } = devices
  const [first, second] = [devices.add('dax0.0', 8 * MiB), devices.add('dax1.0', 4 * MiB)]
  const lines = [`AUTO ${first}`, `AUTO ${second}`]
  const refused = Pool.create(devices.set(...lines), { storage })
  await t.rejects(refused, { code: 'ERR_POOLSET_UNSUITABLE', hint: /SINGLEHDR/, facts: { alignment: 2 * MiB } })
  t.ok(
    readFileSync(first).every(byte => byte === 0),
    'the header of a pool that could not be made is gone',
  )
  const pool = await Pool.create(devices.set('OPTION SINGLEHDR', ...lines), { storage })
  t.equal(pool.size, 12 * MiB - page)
  pool.memcpyPersistSync(8 * MiB - page - 50, pattern(100))
  await pool.close()
  sameBytes(t, new Uint8Array(readFileSync(second).subarray(0, 50)), pattern(100).subarray(50), 'the second device')
  const small = ['dax2.0', 'dax3.0'].map(name => `AUTO ${devices.add(name, 8 * MiB, page)}`)
  const fine = await Pool.create(devices.set(...small), { storage })
  t.equal(fine.size, 16 * MiB - 2 * page)
  await fine.close()
})

t.test('a device that holds something is not overwritten', async t => {
  const devices = new Devices(t)
  const device = devices.add('dax0.0', 4 * MiB, 2 * MiB, 7)
  await t.rejects(Pool.create(devices.set(`AUTO ${device}`), { storage: devices.storage }), { code: 'ERR_PART_EXISTS' })
  t.ok(readFileSync(device).every(byte => byte === 7))
})

t.test('removal wipes the first 2 MiB of a device and keeps its name', async t => {
  for (const force of [false, true]) {
    const devices = new Devices(t)
    const device = devices.add('dax0.0', 8 * MiB)
    const set = devices.set(`AUTO ${device}`)
    const { storage } = devices
    const pool = await Pool.create(set, { storage })
    pool.memsetPersistSync(0, 9, pool.size)
    await pool.close()
    if (force) await removePart(device, { storage, notesBeside: join(devices.at, 'pool.set') })
    else await removeReplicaParts({ replicas: [[{ path: device, size: 8 * MiB }]], options: set.options, storage })
    const left = readFileSync(device)
    t.ok(left.subarray(0, 2 * MiB).every(byte => byte === 0))
    t.ok(left.subarray(2 * MiB).every(byte => byte === 9))
    await (await Pool.create(set, { storage })).close()
  }
})

t.test('notes of a copy on a device lie beside its pool set, because /dev forgets', async t => {
  const devices = new Devices(t)
  const device = devices.add('dax0.0', 8 * MiB)
  const file = join(devices.at, 'pool.set')
  const parts = await createReplicaParts({
    parts: [{ path: device, size: 8 * MiB }],
    options: { singleHeader: false, noHeaders: true },
    attributes: undefined,
    storage: devices.storage,
    notesBeside: file,
  })
  t.equal(parts.notesBeside, file)
  parts.record.write(record)
  await parts.close()
  t.ok(existsSync(`${file}.record`))
  await removePart(device, { storage: devices.storage, notesBeside: file })
  t.notOk(existsSync(`${file}.record`))
  t.notOk(existsSync(`${device}.record`))
})
