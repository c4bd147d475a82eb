import t, { type Test } from 'tap'
import { MiB } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { Vmem } from '../../vmem/index.js'
import { requireConsistent } from './pool-bed.js'

const size = 2 * MiB
const page = 4096

/** A pool in which every kind of page occurs, and its bytes from the outside. */
function bed(t: Test) {
  const memory = NativeMemory.anonymous(size)
  const vmem = Vmem.createInRegion(memory)
  t.teardown(() => {
    vmem.closeSync()
    memory.close()
  })
  const small = Array.from({ length: 100 }, () => vmem.malloc(48).fill(1))
  const large = vmem.malloc(3 * page).fill(2)
  const freed = { small: vmem.offsetOf(vmem.malloc(48)), large: vmem.offsetOf(vmem.malloc(2 * page)) }
  const huge = vmem.mallocOffset(300 * page)
  for (const offset of [freed.small, freed.large, huge]) vmem.freeOffset(offset)
  return { vmem, bytes: memory.view(0, size), small, large, freed, huge }
}

/** True if check finds the change, and nothing once it is taken back. */
function found(vmem: Vmem, bytes: Uint8Array, at: number, flip: number): boolean {
  const before = bytes[at] ?? 0
  bytes[at] = before ^ flip
  const { consistent } = vmem.check()
  bytes[at] = before
  return !consistent
}

t.test('every bit of the header and of the table is watched', async t => {
  const { vmem, bytes } = bed(t)
  const metadata = vmem.stats().metadata
  const missed: string[] = []
  for (let at = 0; at < metadata; at++) {
    const flip = 1 << (at % 8)
    if (!found(vmem, bytes, at, flip)) missed.push(`${at} ^ ${flip}`)
  }
  t.same(missed, [], `${metadata} bytes`)
  requireConsistent(t, vmem)
})

t.test('every bit of a bitmap and of the gap behind it is watched', async t => {
  const { vmem, bytes, small } = bed(t)
  const begin = vmem.offsetOf(small[0] ?? Buffer.alloc(0))
  const run = begin - (begin % page)
  const missed: string[] = []
  for (let at = run; at < begin; at++) {
    for (let bit = 0; bit < 8; bit++) if (!found(vmem, bytes, at, 1 << bit)) missed.push(`${at - run} bit ${bit}`)
  }
  t.same(missed, [], `${begin - run} bytes`)
  requireConsistent(t, vmem)
})

t.test('a write into memory that was freed is found', async t => {
  const { vmem, bytes, freed, huge } = bed(t)
  for (const at of [0, 1, 24, 47]) t.ok(found(vmem, bytes, freed.small + at, 0x80), `small block, byte ${at}`)
  for (const at of [0, 2000, page - 1]) t.ok(found(vmem, bytes, freed.large + at, 1), `large block, byte ${at}`)
  for (const at of [0, page - 1]) t.ok(found(vmem, bytes, huge + at, 1), `free pages, byte ${at}`)
  requireConsistent(t, vmem)
})

t.test('a write into memory that was never used is found anywhere in a pool on a file', async t => {
  const vmem = Vmem.createSync('/dev/shm', size)
  t.teardown(() => vmem.closeSync())
  vmem.malloc(64)
  const { metadata } = vmem.stats()
  const bytes = vmem.view(0, size)
  for (let at = metadata + 20 * page + 7; at < size; at += 5 * page + 13) t.ok(found(vmem, bytes, at, 4), `byte ${at}`)
  requireConsistent(t, vmem)
})

t.test('a block that is marked free while it is in use is found', async t => {
  const { vmem, bytes, small } = bed(t)
  const begin = vmem.offsetOf(small[0] ?? Buffer.alloc(0))
  const run = begin - (begin % page)
  const index = 5
  t.ok(found(vmem, bytes, run, 1 << index))
  const what = () => {
    bytes[run] = (bytes[run] ?? 0) ^ (1 << index)
    const { findings } = vmem.check()
    bytes[run] = (bytes[run] ?? 0) ^ (1 << index)
    return findings.map(finding => finding.what)
  }
  t.match(what(), [/in use is marked free/, /as many blocks as are in use/])
})

t.test('the tables of another pool are no tables of this one', async t => {
  const { vmem, bytes } = bed(t)
  const foreign = bed(t)
  const { metadata } = vmem.stats()
  const own = bytes.slice(0, metadata)
  bytes.set(foreign.bytes.subarray(0, metadata))
  t.equal(vmem.check().consistent, false)
  bytes.set(own)
  bytes.copyWithin(page, page + 8, page + 512)
  t.equal(vmem.check().consistent, false, 'descriptors in another place')
  bytes.set(own)
  requireConsistent(t, vmem)
})

t.test('a pool whose tables are overwritten gives errors and never ends the process', async t => {
  for (const byte of [0, 0xff, 0x5a]) {
    const { vmem, bytes, small, large } = bed(t)
    const metadata = vmem.stats().metadata
    bytes.fill(byte, 0, metadata)
    const begin = vmem.offsetOf(small[0] ?? Buffer.alloc(0))
    bytes.fill(byte, begin - (begin % page), begin)
    t.equal(vmem.check().consistent, false)
    for (let n = 0; n < 2000; n++) attempt(() => vmem.malloc((n * 37) % 9000))
    for (const block of [...small, large]) attempt(() => vmem.free(block))
    attempt(() => vmem.trim())
    attempt(() => vmem.stats())
    t.ok(vmem.check().findings.length > 0)
  }
})

function attempt(call: () => unknown): void {
  try {
    call()
  } catch {
    // Whatever it is, the process lives.
  }
}

t.test('check changes nothing', async t => {
  const { vmem, bytes } = bed(t)
  const before = Buffer.from(bytes)
  requireConsistent(t, vmem)
  t.equal(Buffer.compare(before, bytes), 0)
})
