import { readdirSync } from 'node:fs'
import t, { type Test } from 'tap'
import { MiB } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { Vmem } from '../../vmem/index.js'
import { onDisk } from '../fixture/mapped-file.js'
import { fill, type PoolBed, poolBeds, requireConsistent, tryMalloc } from './pool-bed.js'

/** libvmem's own unit tests, named after them, on both kinds of pool. */
function onBoth(name: string, run: (t: Test, bed: PoolBed) => void): void {
  for (const bed of poolBeds) t.test(`${name} (${bed.name} pool)`, async t => run(t, bed))
}

const inside = (vmem: Vmem, offset: number, size: number) => offset > 0 && offset + size <= vmem.size

onBoth('vmem_aligned_alloc: every power of two from 2 B to 4 MiB is an alignment', (t, bed) => {
  for (let alignment = 2; alignment <= 4 * MiB; alignment *= 2) {
    const vmem = bed.open(t)
    const blocks: Buffer[] = []
    for (let n = 0; n < 100; n++) {
      try {
        blocks.push(vmem.alignedAlloc(alignment, 4))
      } catch (error) {
        t.match(error, { code: 'ERR_HEAP_EXHAUSTED' })
        break
      }
    }
    t.ok(blocks.length > 0, `one of ${alignment}`)
    const offsets = blocks.map(block => vmem.offsetOf(block))
    t.ok(
      offsets.every(at => (vmem.skew + at) % alignment === 0 && inside(vmem, at, 4)),
      `all of ${alignment}`,
    )
    blocks.forEach((block, index) => {
      block.writeInt32LE(index)
    })
    t.ok(blocks.every((block, index) => block.readInt32LE() === index))
    for (const block of blocks) vmem.free(block)
    requireConsistent(t, vmem)
    vmem.closeSync()
  }
})

onBoth('vmem_calloc: memory is zero and writable', (t, bed) => {
  const vmem = bed.open(t)
  const block = vmem.calloc(1, 4)
  t.same([...block], [0, 0, 0, 0])
  block.writeInt32LE(777)
  t.equal(block.readInt32LE(), 777)
  t.ok(inside(vmem, vmem.offsetOf(block), 4))
})

onBoth('vmem_check: a fresh pool is consistent, one that is closed cannot be checked', (t, bed) => {
  const vmem = bed.open(t)
  t.same(vmem.check(), { consistent: true, findings: [] })
  vmem.closeSync()
  t.throws(() => vmem.check(), { code: 'ERR_CLOSED' })
})

t.test('vmem_check: of two overlapping pools one cannot be made', async t => {
  const memory = NativeMemory.anonymous(32 * MiB)
  t.teardown(() => memory.close())
  const first = Vmem.createInRegion(memory, { size: 16 * MiB })
  t.throws(() => Vmem.createInRegion(memory, { offset: 8 * MiB, size: 16 * MiB }), { code: 'ERR_HEAP_OVERLAP' })
  requireConsistent(t, first)
  const beside = Vmem.createInRegion(memory, { offset: 16 * MiB })
  first.closeSync()
  requireConsistent(t, beside)
  Vmem.createInRegion(memory, { size: 16 * MiB }).closeSync()
  beside.closeSync()
})

onBoth('vmem_check_allocations: a full pool keeps what each block holds, for 8 B to 4 MiB', (t, bed) => {
  for (let size = 8; size <= 4 * MiB; size *= 2) {
    const vmem = bed.open(t)
    const offsets = fill(vmem, size)
    offsets.forEach((offset, index) => {
      vmem.view(offset, size).fill(index & 0xff)
    })
    const disturbed = offsets.findIndex((offset, index) => {
      const block = vmem.view(offset, size)
      return block[0] !== (index & 0xff) || Buffer.compare(block.subarray(1), block.subarray(0, -1)) !== 0
    })
    t.equal(disturbed, -1, `${offsets.length} blocks of ${size} bytes`)
    for (const offset of offsets) vmem.freeOffset(offset)
    requireConsistent(t, vmem)
    vmem.closeSync()
  }
})

t.test('vmem_check_version: this one is served, others are told what is missing', async t => {
  t.equal(Vmem.checkVersion(Vmem.majorVersion, Vmem.minorVersion), undefined)
  t.equal(Vmem.checkVersion(2, 1), 'libvmem major version mismatch (need 2, found 1)')
  t.equal(Vmem.checkVersion(0, 1), 'libvmem major version mismatch (need 0, found 1)')
  t.equal(Vmem.checkVersion(1, 2), 'libvmem minor version mismatch (need 2, found 1)')
  t.equal(Vmem.checkVersion(1, 0), undefined)
})

onBoth('vmem_create: the handle is no memory, and a closed one refuses every call', (t, bed) => {
  const vmem = bed.open(t)
  const block = vmem.malloc(8)
  vmem.closeSync()
  vmem.closeSync()
  t.equal(block.length, 0)
  const calls: [string, () => unknown][] = [
    ['malloc', () => vmem.malloc(8)],
    ['large malloc', () => vmem.mallocOffset(MiB)],
    ['calloc', () => vmem.calloc(1, 8)],
    ['realloc', () => vmem.realloc(null, 8)],
    ['alignedAlloc', () => vmem.alignedAlloc(64, 8)],
    ['strdup', () => vmem.strdup('a')],
    ['free', () => vmem.freeOffset(8192)],
    ['usable size', () => vmem.usableSizeAt(8192)],
    ['view', () => vmem.view(0, 8)],
    ['stats', () => vmem.stats()],
    ['share', () => vmem.share()],
    ['grow', () => vmem.grow(64 * MiB)],
    ['trim', () => vmem.trim()],
    ['block', () => vmem.block(8)],
  ]
  for (const [name, call] of calls) t.throws(call, { code: 'ERR_CLOSED' }, name)
})

t.test('vmem_create_error: sizes and directories that will not do', async t => {
  const memory = NativeMemory.anonymous(MiB)
  t.teardown(() => memory.close())
  t.throws(() => Vmem.createInRegion(memory, { size: 0 }), { code: 'ERR_HEAP_SIZE', errno: 22 })
  t.throws(() => Vmem.createSync(onDisk, 0), { code: 'ERR_HEAP_SIZE', errno: 22 })
  t.throws(() => Vmem.createSync('/nowhere', 0), { code: 'ERR_HEAP_SIZE' }, 'the size is checked first')
  t.throws(() => Vmem.createSync('/nowhere', 14 * MiB), { code: 'ERR_VMEM_CREATE', errno: 2 })
})

onBoth('vmem_create_in_region: 300 blocks of 4 bytes lie inside', (t, bed) => {
  const vmem = bed.open(t)
  const offsets = Array.from({ length: 300 }, () => vmem.mallocOffset(4))
  t.equal(new Set(offsets).size, 300)
  t.ok(offsets.every(offset => inside(vmem, offset, 4)))
})

onBoth('vmem_custom_alloc: twenty pools in a row, with functions of the program', (t, bed) => {
  const printed: string[] = []
  Vmem.setFuncs({ print: text => printed.push(text) })
  t.teardown(() => Vmem.setFuncs())
  for (let n = 0; n < 20; n++) {
    const vmem = bed.open(t)
    vmem.free(vmem.malloc(8))
    vmem.statsPrint('gmabl')
    vmem.closeSync()
  }
  t.equal(printed.length, 20)
})

onBoth('vmem_malloc: one number is written and read', (t, bed) => {
  const vmem = bed.open(t)
  const block = vmem.malloc(4)
  block.writeInt32LE(-123)
  t.equal(block.readInt32LE(), -123)
  t.equal(block.length, 4)
  t.ok(inside(vmem, vmem.offsetOf(block), 4))
})

onBoth('vmem_malloc_usable_size: 0 for null, slack within libvmem’s bounds, all of it may be written', (t, bed) => {
  const vmem = bed.open(t)
  t.equal(vmem.mallocUsableSize(null), 0)
  const bounds = [
    [10, 8],
    [100, 16],
    [200, 32],
    [500, 64],
    [1000, 128],
    [2000, 256],
    [3000, 512],
    ...Array.from({ length: 9 }, (_, n) => [(n + 1) * MiB, 4 * MiB] as const),
  ] as const
  for (const [size, slack] of bounds) {
    const offset = vmem.mallocOffset(size)
    const usable = vmem.usableSizeAt(offset)
    t.ok(usable >= size && usable - size <= slack, `${size}: ${usable}`)
    vmem.view(offset).fill(0xff)
    requireConsistent(t, vmem)
    vmem.freeOffset(offset)
  }
})

onBoth('vmem_mix_allocations: from 8 MiB halving to 1 byte more than half of the pool is allocated', (t, bed) => {
  const vmem = bed.open(t)
  const offsets: number[] = []
  let allocated = 0
  for (let size = 8 * MiB; size >= 1; size = Math.floor(size / 2)) {
    const offset = tryMalloc(vmem, size)
    offsets.push(offset)
    allocated += offset === 0 ? 0 : size
  }
  t.ok(allocated > vmem.size / 2, `${allocated}`)
  for (const offset of offsets) vmem.freeOffset(offset)
  vmem.free(null)
  requireConsistent(t, vmem)
})

t.test('vmem_multiple_pools: 128 pools in turn of both kinds', async t => {
  for (let n = 0; n < 128; n++) {
    const bed = poolBeds[n % 2]
    const vmem = bed?.open(t)
    t.ok(vmem?.malloc(64))
    vmem?.closeSync()
  }
})

onBoth('vmem_out_of_memory: blocks linked to each other until there are no more, and then all freed', (t, bed) => {
  const vmem = bed.open(t)
  let last = 0
  let count = 0
  for (let offset = tryMalloc(vmem, 8); offset !== 0; offset = tryMalloc(vmem, 8)) {
    vmem.view(offset, 8).writeDoubleLE(last)
    last = offset
    count++
  }
  t.ok(count > (0.55 * vmem.size) / 8, `${count} blocks`)
  while (last !== 0) {
    const next = vmem.view(last, 8).readDoubleLE()
    vmem.freeOffset(last)
    last = next
    count--
  }
  t.equal(count, 0)
  t.ok(tryMalloc(vmem, 8 * MiB) > 0, 'and the space serves for anything else')
  requireConsistent(t, vmem)
})

onBoth('vmem_pages_purging: memory of calloc is zero when it is used again', (t, bed) => {
  const vmem = bed.open(t)
  for (let round = 0; round < 100; round++) {
    const size = 3500 + round
    const used = vmem.malloc(size).fill(0xff)
    vmem.free(used)
    const zeros = vmem.calloc(1, size)
    t.ok(
      zeros.every(byte => byte === 0),
      `round ${round}`,
    )
    zeros.fill(0xee)
    vmem.free(zeros)
  }
  for (const size of [8192, MiB, 3 * MiB]) {
    vmem.free(vmem.malloc(size).fill(0xff))
    const zeros = vmem.calloc(size, 1)
    t.equal(Buffer.compare(zeros, Buffer.alloc(size)), 0, `${size}`)
    vmem.free(zeros)
  }
  requireConsistent(t, vmem)
})

onBoth('vmem_realloc: from null, then ten times as large, the value stays', (t, bed) => {
  const vmem = bed.open(t)
  const one = vmem.realloc(null, 4)
  t.ok(one)
  if (!one) return
  one.writeInt32LE(7)
  const ten = vmem.realloc(one, 40)
  t.equal(ten?.readInt32LE(), 7)
  t.ok(ten && inside(vmem, vmem.offsetOf(ten), 40))
  t.throws(() => vmem.free(one), { code: 'ERR_HEAP_FREED' })
  t.equal(vmem.realloc(ten, 0), null)
  t.equal(vmem.stats().free, vmem.size - vmem.stats().metadata - 2 * 65_536, 'only two runs are in use')
})

onBoth('vmem_realloc_inplace: large blocks shrink and grow where they are', (t, bed) => {
  const vmem = bed.open(t, 16 * MiB)
  const offset = vmem.mallocOffset(12 * MiB)
  for (const size of [6, 12, 8]) t.equal(vmem.reallocOffset(offset, size * MiB), offset, `${size} MiB`)
  const rest = fill(vmem, MiB)
  // libvmem has no room left for a small block here and answers NULL; a smaller size never fails here.
  const [last = 0] = rest
  vmem.view(last, 16).fill(7)
  const small = vmem.reallocOffset(last, 16)
  t.ok(vmem.view(small, 16).every(byte => byte === 7))
  const moved = vmem.reallocOffset(offset, 16)
  t.not(moved, offset)
  t.equal(vmem.usableSizeAt(moved), 16)
  t.ok(vmem.mallocOffset(3 * MiB) > 0)
  requireConsistent(t, vmem)
})

onBoth('vmem_stats: an unused and a used pool, every part may be left out', (t, bed) => {
  const vmem = bed.open(t)
  const printed: string[] = []
  Vmem.setFuncs({ print: text => printed.push(text) })
  t.teardown(() => Vmem.setFuncs())
  const blocks = [8, 64, 5000, MiB].map(size => vmem.mallocOffset(size))
  for (const omit of [undefined, 'g', 'gbl', 'gbla', 'gblma', 'xyz']) vmem.statsPrint(omit)
  t.ok(printed.every(text => /^___ Begin [\s\S]*Allocated: \d+[\s\S]*--- End .*\n$/.test(text)))
  const lengths = printed.map(text => text.length)
  t.same(
    lengths.slice(0, 5),
    [...lengths.slice(0, 5)].sort((a, b) => b - a),
  )
  t.equal(printed[0], printed[5])
  t.match(printed[0], new RegExp(`Allocated: ${8 + 64 + 8192 + MiB},`))
  for (const offset of blocks) vmem.freeOffset(offset)
})

onBoth('vmem_strdup: bytes and wide characters are copied, empty texts too', (t, bed) => {
  const vmem = bed.open(t)
  t.same(vmem.strdup('Some test string'), Buffer.from('Some test string\0'))
  t.same(vmem.strdup(''), Buffer.from([0]))
  t.same(vmem.strdup(Uint8Array.from([65, 66, 0, 67])), Buffer.from('AB\0'))
  t.same(vmem.wcsdup(''), Buffer.alloc(4))
  const wide = vmem.wcsdup('aé😀')
  t.same([...new Uint32Array(Uint8Array.from(wide).buffer)], [0x61, 0xe9, 0x1f600, 0])
  t.throws(() => vmem.strdup(null as unknown as string), { code: 'ERR_ARGUMENT' })
  t.throws(() => vmem.wcsdup(undefined as unknown as string), { code: 'ERR_ARGUMENT' })
})

t.test('a pool on a file leaves nothing in the directory', async t => {
  const before = readdirSync(onDisk)
  const vmem = await Vmem.create(onDisk, 14 * MiB)
  t.same(
    readdirSync(onDisk).filter(name => name.startsWith('vmem.') && !before.includes(name)),
    [],
  )
  await vmem.close()
})
