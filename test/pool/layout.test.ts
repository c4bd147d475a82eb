import fc from 'fast-check'
import t from 'tap'
import { alignDown, MiB, pageSize } from '../../core/index.js'
import { locate, replicaLayout } from '../../pool/index.js'
import { ring } from '../../pool/linkage.js'
import { formatUuid, newUuid } from '../../pool/uuid.js'

const options = fc.constantFrom(
  { singleHeader: false, noHeaders: false },
  { singleHeader: true, noHeaders: false },
  { singleHeader: false, noHeaders: true },
)
const parts = fc
  .array(fc.integer({ min: 2 * MiB, max: 2 * MiB + 20 * pageSize }), { minLength: 1, maxLength: 6 })
  .map(sizes => sizes.map((size, index) => ({ path: `/p${index}`, size })))
const seeded = { seed: 20261120 }

t.test('every pool page is one page of one part, and every page of a part but its header is used', async t => {
  fc.assert(
    fc.property(parts, options, (parts, options) => {
      const layout = replicaLayout(parts, options)
      const taken = new Set<string>()
      for (let offset = 0; offset < layout.size; offset += pageSize) {
        const { part, fileOffset } = locate(layout, offset)
        taken.add(`${part} ${fileOffset}`)
      }
      const pages = parts.map(({ size }) => alignDown(size, pageSize) / pageSize)
      const hidden = Math.max(layout.headers - 1, 0)
      const free = pages.reduce((sum, count) => sum + count, 0) - hidden
      return taken.size === layout.size / pageSize && taken.size === free
    }),
    seeded,
  )
  t.pass('a bijection')
})

t.test('inside a page, and across pages of one part, offsets run on', async t => {
  fc.assert(
    fc.property(parts, options, fc.nat(), (parts, options, random) => {
      const layout = replicaLayout(parts, options)
      const offset = random % (layout.size - 1)
      const [here, next] = [locate(layout, offset), locate(layout, offset + 1)]
      if (here.part === next.part) return next.fileOffset === here.fileOffset + 1
      return next.part === here.part + 1 && next.fileOffset === (layout.headers > 1 ? pageSize : 0)
    }),
    seeded,
  )
  t.pass('without a gap')
})

t.test('the sizes are those of the reference', async t => {
  const sizes = (...values: number[]) => values.map((size, index) => ({ path: `/p${index}`, size }))
  const plain = { singleHeader: false, noHeaders: false }
  const single = { singleHeader: true, noHeaders: false }
  const none = { singleHeader: false, noHeaders: true }
  t.equal(replicaLayout(sizes(8 * MiB), plain).size, 8 * MiB)
  t.equal(replicaLayout(sizes(8 * MiB + 1), plain).size, 8 * MiB)
  t.equal(replicaLayout(sizes(8 * MiB, 4 * MiB, 3 * MiB), plain).size, 15 * MiB - 2 * pageSize)
  t.equal(replicaLayout(sizes(4 * MiB, 4 * MiB), single).size, 8 * MiB)
  t.equal(replicaLayout(sizes(4 * MiB, 4 * MiB), none).size, 8 * MiB)
  t.strictSame(locate(replicaLayout(sizes(8 * MiB, 4 * MiB), plain), 8 * MiB), { part: 1, fileOffset: 4096 })
  t.strictSame(locate(replicaLayout(sizes(8 * MiB, 4 * MiB), single), 8 * MiB), { part: 1, fileOffset: 0 })
})

t.test('a pool offset outside the pool is a bug', async t => {
  const layout = replicaLayout([{ path: '/p', size: 2 * MiB }], { singleHeader: false, noHeaders: false })
  t.throws(() => locate(layout, 2 * MiB), { name: 'AssertionError' })
  t.throws(() => locate(layout, -1), { name: 'AssertionError' })
})

t.test('a UUID is stored with its first three groups turned round', async t => {
  const bytes = Uint8Array.from([0xdd, 0xcc, 0xbb, 0xaa, 0xff, 0xee, 0x99, 0x48, 8, 9, 10, 11, 12, 13, 14, 15])
  t.equal(formatUuid(bytes), 'aabbccdd-eeff-4899-0809-0a0b0c0d0e0f')
})

t.test('every fresh UUID is of version 4 and variant 1', async t => {
  for (let count = 0; count < 100; count++) t.match(formatUuid(newUuid()), /^.{14}4.{4}[89ab]/)
})

t.test('in a ring everyone is the neighbour of his neighbours', async t => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), count => {
      const members = Array.from({ length: count }, (_, index) => Uint8Array.of(index))
      const links = ring(members)
      return links.every(({ prev, next }, index) => {
        const [before, behind] = [links[prev[0] ?? -1], links[next[0] ?? -1]]
        return before?.next[0] === index && behind?.prev[0] === index
      })
    }),
    seeded,
  )
  t.strictSame(ring([Uint8Array.of(7)]), [{ prev: Uint8Array.of(7), next: Uint8Array.of(7) }])
})
