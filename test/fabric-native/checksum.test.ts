import t from 'tap'
import { pageSize, seededRandom } from '../../core/index.js'
import { loadBinding } from '../../fabric-native/binding.js'
import { crc32c, pageChecksums } from '../../fabric-native/index.js'

/** RFC 3720, appendix B.4; the last is an iSCSI command. */
const golden: readonly (readonly [name: string, bytes: Uint8Array, sum: number])[] = [
  ['32 bytes of zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 bytes from 0 up', Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  ['32 bytes from 31 down', Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
  [
    'a read command',
    Buffer.from(
      '01c00000000000000000000000000000140000000000040000000014000000182800000000000000' + '0200000000000000',
      'hex',
    ),
    0xd9963a56,
  ],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
]

for (const [name, bytes, sum] of golden) {
  t.test(`the checksum of ${name} is that of the specification, with and without the instruction`, async t => {
    t.equal(crc32c(bytes), sum)
    t.equal(loadBinding().checksumByTable(bytes), sum)
  })
}

t.test('both ways agree at every length and alignment', async t => {
  const bytes = seededRandom(7).bytes(300)
  for (let from = 0; from < 9; from++) {
    for (let to = from; to < 280; to += 3) {
      const piece = bytes.subarray(from, to)
      if (crc32c(piece) !== loadBinding().checksumByTable(piece)) t.fail(`${from} to ${to}`)
    }
  }
  t.equal(crc32c(new Uint8Array(0)), 0)
})

for (const pages of [0, 1, 2, 3, 4, 5, 6, 7, 100]) {
  t.test(`the checksums of ${pages} pages are those of each alone`, async t => {
    const bytes = seededRandom(pages + 1).bytes(pages * pageSize)
    const each = Array.from({ length: pages }, (_, page) =>
      crc32c(bytes.subarray(page * pageSize, (page + 1) * pageSize)),
    )
    t.same([...pageChecksums(bytes)], each)
  })
}

t.test('what is no Uint8Array of whole pages is a TypeError', async t => {
  for (const wrong of [undefined, null, 'abc', new Uint16Array(4), [1], new Uint8Array(pageSize + 1)]) {
    t.throws(() => pageChecksums(wrong as Uint8Array), TypeError)
  }
  for (const wrong of [undefined, new DataView(new ArrayBuffer(8)), {}]) {
    t.throws(() => crc32c(wrong as Uint8Array), TypeError)
  }
})
