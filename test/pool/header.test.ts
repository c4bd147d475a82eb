import fc from 'fast-check'
import t from 'tap'
import { hasCode, incompatSingleHeader, pageSize } from '../../core/index.js'
import { ownArchFlags } from '../../pool/arch-flags.js'
import {
  decodeHeader,
  encodeHeader,
  headerChecksum,
  incompatChecksum2K,
  incompatShutdownState,
  type PartHeader,
} from '../../pool/header.js'
import { attributesOf, headersOf, replaceAttributes } from '../../pool/header-attributes.js'
import { checkHeaders } from '../../pool/header-check.js'
import { checkShutdownState, deviceState, shutdownState, unknownDevices } from '../../pool/shutdown-state.js'
import { readVector, vectorNames } from './header-vectors.js'

/** What no header stands in: a set without headers, and the second part of a SINGLEHDR set. */
const isData = (name: string, index: number) => name.startsWith('08') || (/^(07|12)/.test(name) && index > 0)

for (const name of vectorNames) {
  t.test(`the headers of ${name} are understood to the bit`, async t => {
    const pages = readVector(name)
    t.ok(pages.length > 0, 'the file holds pages')
    for (const [index, { title, page }] of pages.entries()) {
      if (isData(name, index)) {
        t.throws(
          () => checkHeaders([{ path: '/p', page }]),
          { code: 'ERR_HEADER_INVALID' },
          `data is no header: ${title}`,
        )
        continue
      }
      const header = decodeHeader(page)
      t.equal(headerChecksum(page), header.checksum, `checksum of ${title}`)
      t.strictSame(encodeHeader(header), page, `same bytes again: ${title}`)
      const state = header.shutdownState
      t.strictSame(shutdownState(state.dirty === 1), state, 'the shutdown state is one that we would write')
    }
  })
}

const pagesOf = (name: string, from = 0, to?: number) =>
  readVector(name)
    .slice(from, to)
    .map(({ page }, index) => ({ path: `/p${index}`, page }))

t.test('the rings of captured replicas are accepted', async t => {
  t.equal(checkHeaders(pagesOf('05-remote-three-parts.txt')).length, 3)
  t.equal(checkHeaders(pagesOf('11-obj-two-parts-local-replica.txt', 0, 2)).length, 2)
  t.equal(checkHeaders(pagesOf('11-obj-two-parts-local-replica.txt', 2)).length, 1)
  t.equal(checkHeaders(pagesOf('07-remote-singlehdr-two-parts.txt', 0, 1)).length, 1)
  t.equal(checkHeaders([]).length, 0)
})

t.test('a header made of attributes has the bytes that PMDK made of them', async t => {
  const [page] = pagesOf('01-remote-single-part.txt')
  const header = decodeHeader(page?.page ?? new Uint8Array())
  const [made] = headersOf(attributesOf(header), [header.createdAt])
  t.strictSame(made && encodeHeader(made), page?.page)
})

t.test('replaced attributes give the bytes that PMDK gives for set_attr', async t => {
  const before = decodeHeader(readVector('01-remote-single-part.txt')[0]?.page ?? new Uint8Array())
  const after = readVector('02-remote-single-part-after-set-attr.txt')[0]?.page ?? new Uint8Array()
  const [replaced] = replaceAttributes([before], attributesOf(decodeHeader(after)))
  t.strictSame(replaced && encodeHeader(replaced), after)
})

t.test('replacing attributes in a ring moves the links to the new first UUID and nothing else', async t => {
  const headers = checkHeaders(pagesOf('05-remote-three-parts.txt'))
  const uuid = new Uint8Array(16).fill(7)
  const replaced = replaceAttributes(headers, { ...attributesOf(headers[0] as PartHeader), uuid })
  t.equal(checkHeaders(replaced.map((header, at) => ({ path: `${at}`, page: encodeHeader(header) }))).length, 3)
  t.strictSame(replaced[1]?.prevPartUuid, uuid)
  t.strictSame(replaced[2]?.nextPartUuid, uuid)
  t.strictSame(replaced[1]?.uuid, headers[1]?.uuid)
  t.strictSame(replaced[1]?.nextPartUuid, headers[1]?.nextPartUuid)
})

t.test('on x86-64 our arch flags are those of PMDK', { skip: process.arch !== 'x64' && 'other machine' }, async t => {
  t.equal(Buffer.from(ownArchFlags()).toString('hex'), '10737737f70700000201000000003e00')
})

t.test('every broken rule is named by part and field, in the order of the reference', async t => {
  const headers = checkHeaders(pagesOf('05-remote-three-parts.txt'))
  const broken = (part: number, change: Partial<PartHeader>) =>
    headers.map((header, at) => ({
      path: `/p${at}`,
      page: encodeHeader(at === part ? { ...header, ...change } : header),
    }))
  const other = new Uint8Array(16).fill(1)
  const cases: [Partial<PartHeader>, string][] = [
    [{ signature: new Uint8Array(8).fill(65) }, 'signature'],
    [{ major: 1 }, 'major'],
    [{ compat: 1 }, 'compat'],
    [{ incompat: incompatSingleHeader }, 'incompat'],
    [{ roCompat: 1 }, 'roCompat'],
    [{ poolsetUuid: other }, 'poolsetUuid'],
    [{ prevReplicaUuid: other }, 'prevReplicaUuid'],
    [{ nextReplicaUuid: other }, 'nextReplicaUuid'],
    [{ archFlags: other }, 'archFlags'],
    [{ prevPartUuid: other }, 'prevPartUuid'],
    [{ nextPartUuid: other }, 'nextPartUuid'],
  ]
  for (const [change, field] of cases) {
    t.throws(() => checkHeaders(broken(1, change)), {
      code: 'ERR_HEADER_INVALID',
      facts: { part: '/p1', field },
    })
  }
  const zero = broken(1, {})
  zero[1]?.page.fill(0)
  t.throws(() => checkHeaders(zero), { code: 'ERR_HEADER_INVALID', facts: { part: '/p1', field: 'signature' } })
  const damaged = broken(2, {})
  damaged[2]?.page.set([1], 200)
  t.throws(() => checkHeaders(damaged), { code: 'ERR_HEADER_INVALID', facts: { part: '/p2', field: 'checksum' } })
})

t.test('any single flipped bit in the covered bytes breaks the checksum', async t => {
  const [page] = pagesOf('10-obj-single-file.txt')
  const original = page?.page ?? new Uint8Array()
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2047 }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      // The bit that says how much is covered would change what is summed.
      fc.pre(!(at === 16 && bit === 1))
      const copy = original.slice()
      copy[at] = (copy[at] ?? 0) ^ (1 << bit)
      return headerChecksum(copy) !== decodeHeader(copy).checksum
    }),
    { seed: 20261120 },
  )
  t.pass('no flip went unseen')
})

t.test('without CKSUM_2K the shutdown state is covered, with it it is not', async t => {
  const header = decodeHeader(readVector('09-remote-sds.txt')[0]?.page ?? new Uint8Array())
  const sum = (incompat: number, dirty: boolean) =>
    headerChecksum(encodeHeader({ ...header, incompat, shutdownState: shutdownState(dirty) }))
  const with2K = incompatChecksum2K | incompatShutdownState
  t.equal(sum(with2K, true), sum(with2K, false))
  t.not(sum(incompatShutdownState, true), sum(incompatShutdownState, false))
})

t.test('arbitrary pages are judged without any other exception', async t => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), fc.nat(pageSize - 64), (bytes, at) => {
      const page = new Uint8Array(pageSize)
      page.set(bytes, at)
      try {
        checkHeaders([{ path: '/p', page }])
        return false
      } catch (error) {
        return hasCode(error, 'ERR_HEADER_INVALID')
      }
    }),
    { seed: 20261120 },
  )
  t.pass('only ERR_HEADER_INVALID')
})

t.test('the state of the devices is the sum over the parts, names as checksums of whole words', async t => {
  const dimm = { count: 3n, device: '8680-57341200' }
  const sum = 0xbaeadaff93a19cc9n
  t.same(deviceState([]), unknownDevices)
  t.same(deviceState([{ count: 0n, device: '' }]), unknownDevices)
  t.same(deviceState([dimm]), { unsafeShutdowns: 3n, devices: sum })
  t.same(deviceState([{ count: 1n, device: 'abc' }]), { unsafeShutdowns: 1n, devices: 0xc6c4c200636261n })
  t.same(deviceState([dimm, dimm]), { unsafeShutdowns: 6n, devices: BigInt.asUintN(64, 2n * sum) })
})

t.test('a dirty shutdown state matters only if the devices have moved on', async t => {
  const moved = { unsafeShutdowns: 5n, devices: 77n }
  const cases: [string, () => void, boolean][] = [
    ['all zero', () => checkShutdownState(shutdownState(false), '/p', moved), true],
    ['equal, clean', () => checkShutdownState(shutdownState(false, moved), '/p', moved), true],
    ['equal, dirty', () => checkShutdownState(shutdownState(true, moved), '/p', moved), true],
    ['different, clean', () => checkShutdownState(shutdownState(false, moved), '/p'), true],
    ['different, dirty', () => checkShutdownState(shutdownState(true, moved), '/p'), false],
    ['bad checksum', () => checkShutdownState({ ...shutdownState(true, moved), checksum: 1n }, '/p'), true],
  ]
  for (const [name, check, good] of cases) {
    if (good) t.doesNotThrow(check, name)
    else t.throws(check, { code: 'ERR_SHUTDOWN_STATE', facts: { part: '/p' } }, name)
  }
})
