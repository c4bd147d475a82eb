import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB, pageSize } from '../../core/index.js'
import {
  allocateFileSync,
  type Dialect,
  type Memory,
  NativeMemory,
  type PersistMethod,
} from '../../fabric-native/index.js'
import { connectOptions, contentOf, type FabricBed, listenOptions, mark } from '../fabric-native/compliance.js'
import { nativeBed } from '../fabric-native/native-bed.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { rdmaAddress } from './rdma-address.js'

const size = 4 * MiB
const storages = {
  'a tmpfs': { path: '/dev/shm', method: 'volatile', pinnable: true },
  'a disk': { path: '/mnt/disk', method: 'msync', pinnable: true },
  // The kernel pins no page of it, see ERR_MEMORY_UNPINNABLE.
  'a file system with DAX': { path: '/mnt/pmem', method: 'dax', pinnable: false },
  'a device DAX': { path: process.env.LAB_DAX ?? '', method: 'dax', pinnable: true },
} as const

function mapped(t: Test, path: string): NativeMemory {
  if (path.startsWith('/dev/dax')) {
    const fd = openSync(path, 'r+')
    const memory = NativeMemory.map([{ fd, offset: 0, length: size }])
    closeSync(fd)
    memory.fill(0, 0, size)
    return memory
  }
  const folder = mkdtempSync(join(path, 'verbs-'))
  const fd = openSync(join(folder, 'part'), 'w+')
  allocateFileSync(fd, size)
  const memory = NativeMemory.map([{ fd, offset: 0, length: size }])
  closeSync(fd)
  t.teardown(() => rmSync(folder, { recursive: true }))
  return memory
}

const bedOf = (dialect: Dialect, method: PersistMethod): FabricBed => ({
  ...nativeBed('verbs', dialect, method),
  address: rdmaAddress() ?? '',
})

async function exercise(t: Test, bed: FabricBed, local: Memory, remote: Memory): Promise<void> {
  const service = await bed.fabric.listen(listenOptions(bed, remote, 2))
  t.teardown(() => service.close())
  const lanes = await bed.fabric.connect(connectOptions(bed, service, local))
  t.teardown(() => lanes.close())
  await service.connected
  const expected = mark(local, pageSize, 200_000)
  lanes.persistSync(pageSize, 100)
  lanes.persistSync(pageSize, 20_000)
  lanes.persistSync(pageSize + 20_000, 50_000, { relaxed: true })
  lanes.flush(pageSize + 70_000, 30_000, { relaxed: true })
  lanes.drainSync()
  await lanes.persist(pageSize + 100_000, 100_000, { deep: true, lane: 1 })
  sameBytes(t, contentOf(remote, pageSize, 200_000), expected, 'the ranges arrived')
  const seen = new Uint8Array(200_000)
  await lanes.read(pageSize, seen)
  sameBytes(t, seen, expected, 'and are read back')
}

for (const dialect of ['rpmem', 'pmdk'] as const) {
  for (const [name, { path, method, pinnable }] of Object.entries(storages)) {
    t.test(`${dialect}: ${name} ${pinnable ? 'is' : 'cannot be'} a target over verbs`, async t => {
      const bed = bedOf(dialect, 'GPSPM')
      const remote = mapped(t, path)
      t.equal(remote.method, method)
      t.teardown(() => remote.close())
      if (!pinnable) {
        await t.rejects(bed.fabric.listen(listenOptions(bed, remote, 2)), { code: 'ERR_MEMORY_UNPINNABLE' })
        return
      }
      const local = NativeMemory.anonymous(size)
      t.teardown(() => local.close())
      await exercise(t, bed, local, remote)
    })

    for (const persistMethod of ['GPSPM', 'APM'] as const) {
      t.test(`${dialect} ${persistMethod}: ${name} is mirrored over verbs`, async t => {
        const local = mapped(t, path)
        t.teardown(() => local.close())
        const remote = NativeMemory.anonymous(size)
        t.teardown(() => remote.close())
        await exercise(t, bedOf(dialect, persistMethod), local, remote)
      })
    }
  }
}
