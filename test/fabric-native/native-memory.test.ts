import { closeSync, openSync } from 'node:fs'
import t, { type Test } from 'tap'
import { fileSystemKind, type Memory, NativeMemory } from '../../fabric-native/index.js'
import { inMemory, MappedFile, onDisk, withGranularity } from '../fixture/mapped-file.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { contentOf, memoryCompliance, pattern } from './memory-compliance.js'

const page = 4096

/** A bed whose memory lies in a file of this kind of file system, under a forced granularity. */
function fileBed(name: string, method: Memory['method'], map: (file: MappedFile) => Memory, under = onDisk) {
  const files = new WeakMap<Memory, MappedFile>()
  return {
    name,
    method,
    open(t: Test, size: number) {
      const file = new MappedFile(t, size, under)
      const memory = map(file)
      files.set(memory, file)
      return memory
    },
    stored: (memory: Memory) => files.get(memory)?.content() ?? new Uint8Array(0),
  }
}

memoryCompliance(
  t,
  fileBed('msync', 'msync', file => withGranularity('page', () => file.map())),
)
memoryCompliance(
  t,
  fileBed('tmpfs', 'volatile', file => file.map(), inMemory),
)
for (const granularity of ['cache_line', 'byte'] as const) {
  memoryCompliance(
    t,
    fileBed(`forced ${granularity}`, 'dax', file => withGranularity(granularity, () => file.map()), inMemory),
  )
}
memoryCompliance(t, { name: 'anonymous', method: 'volatile', open: (_, size) => NativeMemory.anonymous(size) })

t.test('the file system decides how bytes become durable', async t => {
  for (const [under, inMemoryMethod] of [
    [onDisk, 'volatile'],
    [inMemory, 'volatile'],
  ] as const) {
    const file = new MappedFile(t, page, under)
    const memory = file.map()
    t.equal(memory.method === inMemoryMethod, fileSystemKind(file.fd).inMemory, `${under}: ${memory.method}`)
    memory.close()
  }
})

t.test('a forced granularity counts on tmpfs too', async t => {
  const file = new MappedFile(t, page, inMemory)
  for (const [granularity, method] of [
    ['page', 'msync'],
    ['cache_line', 'dax'],
    ['byte', 'dax'],
  ] as const) {
    const memory = withGranularity(granularity, () => file.map())
    t.equal(memory.method, method)
    memory.close()
  }
})

t.test('three pieces lie side by side in their order', async t => {
  const files = [new MappedFile(t, 2 * page), new MappedFile(t, 3 * page), new MappedFile(t, 4 * page)] as const
  const [first, second, third] = files
  const memory = NativeMemory.map([
    { fd: first.fd, offset: page, length: page },
    { fd: second.fd, offset: 0, length: 2 * page },
    { fd: third.fd, offset: page, length: 3 * page },
  ])
  t.equal(memory.size, 6 * page)
  const expected = pattern(memory.size)
  memory.copyIn(0, expected)
  sameBytes(t, first.content().subarray(page), expected.subarray(0, page), 'first piece')
  sameBytes(t, second.content().subarray(0, 2 * page), expected.subarray(page, 3 * page), 'second piece')
  sameBytes(t, third.content().subarray(page), expected.subarray(3 * page), 'third piece')
  sameBytes(t, first.content().subarray(0, page), new Uint8Array(page), 'what is not mapped')
  memory.flush(page - 3, 3 * page)
  memory.drain()
  memory.deepPersist(0, memory.size)
  memory.close()
  t.same(
    files.map(file => file.mapped),
    [false, false, false],
  )
})

t.test('the weakest piece names the method, and each piece is treated as its own', async t => {
  const [disk, memoryFile] = [new MappedFile(t, page), new MappedFile(t, page, inMemory)]
  const memory = NativeMemory.map([
    { fd: disk.fd, offset: 0, length: page },
    { fd: memoryFile.fd, offset: 0, length: page },
  ])
  t.equal(memory.method, 'volatile')
  memory.copyIn(page - 100, pattern(200))
  memory.move(page - 50, page - 100, 200)
  const expected = new Uint8Array(2 * page)
  expected.set(pattern(200), page - 100)
  expected.copyWithin(page - 50, page - 100, page + 100)
  sameBytes(t, contentOf(memory), expected, 'a move across the pieces')
  memory.close()
})

t.test('the descriptor may be closed once the file is mapped', async t => {
  const file = new MappedFile(t, page)
  const fd = openSync(file.path, 'r+')
  const memory = NativeMemory.map([{ fd, offset: 0, length: page }])
  closeSync(fd)
  memory.copyIn(0, pattern(64))
  sameBytes(t, file.content().subarray(0, 64), pattern(64), 'the file')
  memory.close()
})

t.test('what cannot be mapped leaves nothing mapped', async t => {
  const file = new MappedFile(t, 2 * page)
  const readOnly = openSync(file.path, 'r')
  const directory = openSync(inMemory, 'r')
  t.teardown(() => {
    closeSync(readOnly)
    closeSync(directory)
  })
  const good = { fd: file.fd, offset: 0, length: page }
  const cases = {
    'no piece': [],
    'an empty piece': [{ ...good, length: 0 }],
    'an offset inside a page': [{ ...good, offset: 512 }],
    'a length inside a page': [{ ...good, length: 512 }],
    'a piece past the end of the file': [{ ...good, offset: page, length: 2 * page }],
    'a descriptor that is not open': [{ ...good, fd: 1_000_000 }],
    'a descriptor for reading only': [{ ...good, fd: readOnly }],
    'a directory': [{ ...good, fd: directory }],
    'more than the address space': [{ ...good, length: 2 ** 53 - page }, good],
    'a negative descriptor': [{ ...good, fd: -1 }],
    'a fraction': [{ ...good, length: 4096.5 }],
  }
  for (const [name, pieces] of Object.entries(cases)) {
    t.throws(() => NativeMemory.map([good, ...pieces].slice(pieces.length === 0 ? 1 : 0)), { code: 'ERR_MAP' }, name)
    t.equal(file.mapped, false, `${name}: nothing is mapped`)
  }
  t.throws(() => NativeMemory.anonymous(0), { code: 'ERR_MAP', cause: { code: 'EINVAL' } })
  t.throws(() => NativeMemory.anonymous(2 ** 52), { code: 'ERR_MAP', cause: { code: 'ENOMEM' } })
})

t.test('a memory larger than any typed array is used through windows', async t => {
  const size = 5 * 2 ** 30
  const memory = NativeMemory.anonymous(size)
  t.teardown(() => memory.close())
  t.throws(() => memory.view(0, size), { code: 'ERR_RANGE' })
  const end = memory.view(size - 8, 8)
  memory.copyIn(size - 4, Uint8Array.of(1, 2, 3, 4))
  t.same([...end], [0, 0, 0, 0, 1, 2, 3, 4])
  t.equal(memory.view(0, 2 ** 32 - 1).length, 2 ** 32 - 1)
  memory.persist(size - 4, 4)
})

t.test('a memory grows inside its reservation, and windows from before stay what they are', async t => {
  const files = [1, 2, 3].map(pages => new MappedFile(t, pages * page))
  const [first, second, third] = files.map(file => ({ fd: file.fd, offset: 0, length: file.size }))
  if (!first || !second || !third) throw new Error('three files')
  const memory = NativeMemory.map([first], 4 * page)
  const early = memory.view(0, page)
  early[0] = 1
  memory.extend([second])
  t.equal(memory.size, 3 * page)
  memory.copyIn(page - 10, pattern(20))
  sameBytes(t, early.subarray(page - 10), pattern(20).subarray(0, 10), 'the window')
  memory.persist(page - 10, 2 * page)
  memory.flush(2 * page, page)
  memory.drain()
  sameBytes(t, files[1]?.content().subarray(0, 10) ?? new Uint8Array(), pattern(20).subarray(10), 'the new file')
  t.throws(() => memory.extend([third]), { code: 'ERR_MAP', errno: 12 }, 'one page is left')
  t.throws(() => memory.extend([{ ...third, length: page }, third]), { code: 'ERR_MAP' }, 'all pieces or none')
  t.throws(() => memory.extend([{ ...third, length: 7 }]), { code: 'ERR_MAP' })
  t.equal(memory.size, 3 * page)
  memory.extend([{ ...third, length: page }])
  memory.extend([])
  t.equal(memory.view(0, memory.size).length, 4 * page)
  memory.close()
  t.equal(early.length, 0)
  t.same(
    files.map(file => file.mapped),
    [false, false, false],
  )
  t.throws(() => memory.extend([]), { code: 'ERR_CLOSED' })
})

t.test(
  'a memory without reservation does not grow, nor does one by pieces that are durable in a weaker way',
  async t => {
    const [one, two] = [new MappedFile(t, page, inMemory), new MappedFile(t, page, inMemory)]
    const piece = { fd: two.fd, offset: 0, length: page }
    const whole = one.map()
    t.throws(() => whole.extend([piece]), { code: 'ERR_MAP', errno: 12 })
    whole.close()
    for (const [before, after] of [
      ['cache_line', 'page'],
      ['cache_line', 'byte'],
      ['byte', 'cache_line'],
    ] as const) {
      const own = { fd: one.fd, offset: 0, length: page }
      const memory = withGranularity(before, () => NativeMemory.map([own], 2 * page))
      t.throws(() => withGranularity(after, () => memory.extend([piece])), { code: 'ERR_MAP', errno: 22 })
      t.equal(two.mapped, false)
      withGranularity(before, () => memory.extend([piece]))
      t.equal(memory.method, 'dax')
      memory.close()
    }
  },
)
