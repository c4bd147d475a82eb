import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { MiB } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { Vmem } from '../../vmem/index.js'
import { collected } from '../fixture/collect-garbage.js'
import { onDisk } from '../fixture/mapped-file.js'
import { fill, poolBeds, requireConsistent } from './pool-bed.js'

for (const bed of poolBeds) {
  t.test(`wrong frees are errors and change nothing (${bed.name} pool)`, async t => {
    const vmem = bed.open(t)
    const other = bed.open(t)
    const kept = [8, 64, 3584, 4096, MiB].map(size => vmem.malloc(size).fill(0x77))
    const spare = vmem.malloc(100)
    const large = vmem.malloc(2 * MiB)
    const spareAt = vmem.offsetOf(spare)
    vmem.free(spare)
    vmem.free(large)
    const stats = vmem.stats()
    t.throws(() => vmem.free(spare), { code: 'ERR_HEAP_FREED' }, 'a Buffer twice')
    t.throws(() => vmem.freeOffset(spareAt), { code: 'ERR_HEAP_FREED' }, 'an offset twice')
    t.throws(() => vmem.free(large), { code: 'ERR_HEAP_FREED' }, 'a large one twice')
    t.throws(() => vmem.realloc(spare, 8), { code: 'ERR_HEAP_FREED' })
    t.throws(() => vmem.mallocUsableSize(spare), { code: 'ERR_HEAP_FREED' })
    for (const buffer of kept) {
      t.throws(() => other.free(buffer), { code: 'ERR_HEAP_POINTER' }, 'through another pool')
      t.throws(() => vmem.free(buffer.subarray(1)), { code: 'ERR_HEAP_POINTER' }, 'a part of it')
      for (const beside of [1, 4, -8]) {
        const at = vmem.offsetOf(buffer) + beside
        t.throws(() => vmem.freeOffset(at), /ERR_HEAP|begins|not in use/, `${beside} beside`)
      }
    }
    for (const foreign of [Buffer.alloc(8), new Uint8Array(8), 'text', {}, 7, undefined]) {
      t.throws(() => vmem.free(foreign as Buffer), { code: 'ERR_HEAP_POINTER' })
    }
    for (const offset of [1, 8, 4096, vmem.size, vmem.size + 4096, 2 ** 40, 2 ** 53 - 1]) {
      t.throws(() => vmem.freeOffset(offset), { code: 'ERR_HEAP_POINTER' }, `${offset}`)
      t.throws(() => vmem.usableSizeAt(offset), { code: 'ERR_HEAP_POINTER' })
      t.throws(() => vmem.reallocOffset(offset, 8), { code: 'ERR_HEAP_POINTER' })
    }
    t.same(vmem.stats(), stats)
    t.ok(kept.every(buffer => buffer.every(byte => byte === 0x77)))
    requireConsistent(t, vmem)
  })

  t.test(`what is no size is refused (${bed.name} pool)`, async t => {
    const vmem = bed.open(t)
    for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '8', null, undefined, {}, 8n]) {
      const size = wrong as number
      const calls: [string, () => unknown][] = [
        ['malloc', () => vmem.malloc(size)],
        ['calloc', () => vmem.calloc(1, size)],
        ['realloc', () => vmem.reallocOffset(vmem.mallocOffset(8), size)],
        ['alignedAlloc', () => vmem.alignedAlloc(8, size)],
        ['alignment', () => vmem.alignedAlloc(size, 8)],
      ]
      for (const [name, call] of calls) t.throws(call, `${name} of ${String(wrong)}`)
      t.throws(() => vmem.freeOffset(size), { code: 'ERR_ARGUMENT' }, `free of ${String(wrong)}`)
    }
    for (const alignment of [0, 3, 24]) {
      t.throws(() => vmem.alignedAlloc(alignment, 8), { code: 'ERR_ARGUMENT', errno: 22 }, `${alignment}`)
    }
    requireConsistent(t, vmem)
  })

  t.test(`the corner cases of libvmem (${bed.name} pool)`, async t => {
    const vmem = bed.open(t)
    const nothings = [
      vmem.mallocOffset(0),
      vmem.callocOffset(0, 8),
      vmem.callocOffset(8, 0),
      vmem.reallocOffset(0, 0),
      vmem.alignedAllocOffset(64, 0),
    ]
    t.equal(new Set(nothings).size, 5, 'an empty block is one of its own')
    for (const offset of nothings) vmem.freeOffset(offset)
    vmem.free(null)
    vmem.freeOffset(0)
    for (const size of [vmem.size, 2 ** 40, 2 ** 53 - 1]) {
      t.throws(() => vmem.malloc(size), { code: 'ERR_HEAP_EXHAUSTED', errno: 12 }, `${size}`)
    }
    t.throws(() => vmem.calloc(2 ** 32, 2 ** 32), { code: 'ERR_HEAP_EXHAUSTED', errno: 12 })
    t.throws(() => vmem.alignedAlloc(16 * MiB, 8), { code: 'ERR_HEAP_EXHAUSTED' })
    const offset = vmem.mallocOffset(3000)
    t.equal(vmem.reallocOffset(offset, 3072), offset, 'the same class is the same place')
    t.equal(vmem.usableSizeAt(vmem.alignedAllocOffset(16, 17)) % 16, 0, 'any size goes with any alignment')
    requireConsistent(t, vmem)
  })

  t.test(`an exhausted pool stays usable (${bed.name} pool)`, async t => {
    const vmem = bed.open(t)
    for (const size of [8, 64, 1000, 3584, 4096, 65_536, MiB, 4 * MiB]) {
      const first = fill(vmem, size)
      t.throws(() => vmem.malloc(size), { code: 'ERR_HEAP_EXHAUSTED' })
      requireConsistent(t, vmem, `full of ${size}`)
      for (const offset of first) vmem.freeOffset(offset)
      const again = fill(vmem, size)
      t.equal(again.length, first.length, `as many of ${size} once more`)
      for (const offset of again.reverse()) vmem.freeOffset(offset)
      requireConsistent(t, vmem, `empty after ${size}`)
    }
  })

  t.test(`a block that disposes of itself empties its views first (${bed.name} pool)`, async t => {
    const vmem = bed.open(t)
    const block = vmem.block(100)
    const part = block.bytes.subarray(10, 20)
    part.fill(1)
    t.equal(vmem.view(block.offset + 10, 1)[0], 1)
    t.equal(block.bytes.buffer.byteLength, 100, 'its ArrayBuffer is the block and nothing else')
    block.dispose()
    block.dispose()
    t.same([block.bytes.length, part.length, block.disposed], [0, 0, true])
    t.throws(() => vmem.freeOffset(block.offset), { code: 'ERR_HEAP_FREED' })
    vmem.block(0)[Symbol.dispose]()
    const late = vmem.block(8)
    vmem.closeSync()
    t.equal(late.bytes.length, 0)
    late.dispose()
  })

  t.test(`a forgotten block is freed, but not under a view of it (${bed.name} pool)`, async t => {
    const vmem = bed.open(t)
    const live = () => vmem.stats().classes.reduce((sum, each) => sum + each.live, 0)
    const keep = () => vmem.block(64).bytes.subarray(8, 16)
    const view = keep().fill(5)
    for (let n = 0; n < 10; n++) vmem.block(64).bytes.fill(9)
    t.ok(await collected(() => live() === 1), `${live()} blocks live`)
    const filler = fill(vmem, 64)
    for (const offset of filler) vmem.view(offset, 64).fill(0xff)
    t.same([...view], [5, 5, 5, 5, 5, 5, 5, 5])
    for (const offset of filler) vmem.freeOffset(offset)
    requireConsistent(t, vmem)
  })
}

function thrownBy(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return error
  }
}

t.test('creation fails as libvmem does', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'rpmem-vmem-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'file')
  writeFileSync(file, '')
  const cases: [string, string, number, number | undefined][] = [
    ['a missing directory', join(directory, 'none'), 14 * MiB, 2],
    ['an empty name', '', 14 * MiB, 2],
    ['a file', file, 14 * MiB, 20],
    ['a file on the way', join(file, 'x'), 14 * MiB, 20],
    ['a long name', join(directory, 'x'.repeat(300)), 14 * MiB, 36],
    ['a device that is not DAX', '/dev/null', 14 * MiB, 22],
    ['a size below the least', directory, MiB - 4097, 22],
    ['more than a file may have', directory, 2 ** 53 - 4096, undefined],
  ]
  for (const [name, path, size, errno] of cases) {
    const expected = errno === undefined ? /cannot be created/ : new RegExp(`^${errno}$`)
    const seen = (error: unknown) => (errno === undefined ? String(error) : String(Reflect.get(Object(error), 'errno')))
    t.match(seen(thrownBy(() => Vmem.createSync(path, size))), expected, name)
    t.match(seen(await Vmem.create(path, size).catch(error => error)), expected, `${name}, asynchronously`)
    t.not(Vmem.errormsg(), '')
  }
  for (const wrong of [undefined, null, 7, 'a\0b']) {
    t.throws(() => Vmem.createSync(wrong as string, 14 * MiB), { code: 'ERR_ARGUMENT' })
  }
  t.throws(() => Vmem.createOnDeviceSync(file), { code: 'ERR_VMEM_CREATE', errno: 22 })
  await t.rejects(Vmem.createOnDevice(join(directory, 'none')), { code: 'ERR_VMEM_CREATE', errno: 2 })
  mkdirSync(join(directory, 'fine'))
  const vmem = await Vmem.create(join(directory, 'fine'), 14 * MiB - 1)
  t.equal(vmem.size, 14 * MiB, 'the size is rounded up to pages')
  await vmem.close()
})

t.test('a region must begin on a page and lie in mapped memory', async t => {
  const memory = NativeMemory.anonymous(4 * MiB)
  t.teardown(() => memory.close())
  t.throws(() => Vmem.createInRegion(memory, { offset: 512 }), { code: 'ERR_ARGUMENT', errno: 22 })
  t.throws(() => Vmem.createInRegion(memory, { offset: 512, size: 0 }), { code: 'ERR_ARGUMENT' })
  t.throws(() => Vmem.createInRegion(memory, { offset: 4096, size: 4 * MiB }), { code: 'ERR_RANGE' })
  t.throws(() => Vmem.createInRegion({} as NativeMemory), { code: 'ERR_ARGUMENT' })
  const vmem = Vmem.createInRegion(memory, { offset: 4096, size: 2 * MiB + 5 })
  vmem.free(vmem.malloc(MiB))
  requireConsistent(t, vmem)
  const view = memory.view(0, 16)
  await vmem.close()
  t.equal(view.length, 16, 'the memory of the caller stays open')
})

t.test('the last error and the log tell the same', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rpmem-vmem-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const vmem = await Vmem.create(onDisk, MiB)
  t.throws(() => vmem.freeOffset(4096), { code: 'ERR_HEAP_POINTER' })
  t.equal(Vmem.errormsg(), 'no block begins at offset 4096')
  await vmem.close()
  t.equal(readFileSync('/proc/self/maps', 'latin1').includes('vmem.'), false)
})
