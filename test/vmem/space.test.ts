import { execFileSync } from 'node:child_process'
import { closeSync, fstatSync, openSync, readdirSync, readlinkSync, statfsSync } from 'node:fs'
import t from 'tap'
import { MiB } from '../../core/index.js'
import { Vmem } from '../../vmem/index.js'
import { inMemory, onDisk } from '../fixture/mapped-file.js'
import { fill, requireConsistent } from './pool-bed.js'

/** Bytes that the file of the only open pool of this size really has, through the descriptor that the heap keeps. */
function storageOf(size: number): number {
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (!readlinkSync(`/proc/self/fd/${name}`).endsWith('(deleted)')) continue
      const stat = fstatSync(Number(name))
      if (stat.size === size) return stat.blocks * 512
    } catch {
      // The descriptor of the listing itself.
    }
  }
  throw new Error(`no open file of ${size} bytes`)
}

for (const directory of [onDisk, inMemory]) {
  t.test(`freed space returns to the file system of ${directory} and can be used again`, async t => {
    const size = 48 * MiB
    const vmem = Vmem.createSync(directory, size)
    t.teardown(() => vmem.closeSync())
    t.ok(storageOf(size) >= size, 'all space is reserved')
    const large = vmem.malloc(32 * MiB).fill(1)
    vmem.free(large)
    t.ok(storageOf(size) <= size - 31 * MiB, `${storageOf(size)} bytes are left, by itself`)
    t.ok(vmem.stats().holes >= 31 * MiB)
    requireConsistent(t, vmem)
    t.equal(vmem.calloc(32 * MiB, 1).indexOf(1), -1)
    t.ok(storageOf(size) >= size, 'and it is reserved again before it is used')
    requireConsistent(t, vmem)
  })

  t.test(`small blocks give their space back as well in ${directory}`, async t => {
    const size = 20 * MiB
    const vmem = Vmem.createSync(directory, size)
    t.teardown(() => vmem.closeSync())
    const offsets = fill(vmem, 512)
    for (const offset of offsets) vmem.view(offset, 512).fill(7)
    for (const offset of offsets) vmem.freeOffset(offset)
    t.ok(vmem.trim() >= 0)
    t.ok(storageOf(size) < 2 * MiB, `${storageOf(size)} bytes are left`)
    t.equal(fill(vmem, 512).length, offsets.length)
    requireConsistent(t, vmem)
  })
}

t.test('the space of a pool is gone with it', async t => {
  const fd = openSync(inMemory, 'r')
  t.teardown(() => closeSync(fd))
  const free = () => Number(statfsSync(inMemory).bfree) * Number(statfsSync(inMemory).bsize)
  const before = free()
  const vmem = await Vmem.create(inMemory, 512 * MiB)
  const during = free()
  await vmem.close()
  t.ok(before - during > 400 * MiB, `${before - during} bytes were taken`)
  t.ok(free() - during > 400 * MiB, 'and returned')
})

t.test('a pool without space is not created, and takes none', async t => {
  const tmpfs = 'mount -t tmpfs -o size=8M none /mnt && exec "$0" -e "$1"'
  const program = `
    import(${JSON.stringify(new URL('../../vmem/index.js', import.meta.url).href)}).then(async ({ Vmem }) => {
      const { statfsSync } = require('node:fs')
      const before = statfsSync('/mnt').bfree
      const error = await Vmem.create('/mnt', ${16 * MiB}).catch(error => error)
      const pool = await Vmem.create('/mnt', ${2 * MiB}, { maxSize: ${64 * MiB} })
      const grown = (() => { try { pool.grow(${32 * MiB}) } catch (error) { return error.code } })()
      pool.grow(${4 * MiB})
      const block = pool.malloc(${3 * MiB}).fill(1)
      console.log(JSON.stringify([error.code, error.errno, before === statfsSync('/mnt').bfree + ${4 * MiB} / 4096, grown, pool.check().consistent]))
    })`
  let output: string
  try {
    const shell = ['--user', '--map-root-user', '--mount', 'sh', '-c', tmpfs, process.execPath, program]
    output = execFileSync('unshare', shell, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
  } catch (error) {
    if (!/unshare|mount|permission|not permitted/i.test(String(error))) throw error
    t.comment('no user namespace with a tmpfs can be made here')
    t.pass('nothing to see', { skip: 'no user namespace with a tmpfs can be made here' })
    return
  }
  t.same(JSON.parse(output), ['ERR_DISK_FULL', 28, true, 'ERR_DISK_FULL', true])
})

t.test('a pool grows up to the size that was foreseen', async t => {
  const vmem = Vmem.createSync(onDisk, 2 * MiB, { maxSize: 8 * MiB })
  t.teardown(() => vmem.closeSync())
  const first = vmem.malloc(MiB).fill(1)
  t.throws(() => vmem.malloc(4 * MiB), { code: 'ERR_HEAP_EXHAUSTED' })
  t.throws(() => vmem.grow(9 * MiB), { code: 'ERR_HEAP_SIZE' })
  t.throws(() => vmem.grow(MiB), { code: 'ERR_HEAP_SIZE' })
  vmem.grow(8 * MiB)
  t.equal(vmem.size, 8 * MiB)
  const second = vmem.malloc(4 * MiB).fill(2)
  t.ok(first.every(byte => byte === 1))
  t.equal(second.length, 4 * MiB)
  requireConsistent(t, vmem)
})
