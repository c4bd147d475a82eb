import fc from 'fast-check'
import t from 'tap'
import { parseSize, sizeSuffixes } from '../../poolset/index.js'

t.test('a capital letter and iB count in powers of 1024, xB in powers of 1000', async t => {
  t.same(['7', '7B', '7K', '7KiB', '7kB', '7M', '7MB', '7G', '7GB', '7TiB', '7TB', '7P', '7PB'].map(parseSize), [
    7,
    7,
    7168,
    7168,
    7000,
    7340032,
    7e6,
    7516192768,
    7e9,
    7 * 2 ** 40,
    7e12,
    7 * 2 ** 50,
    7e15,
  ])
})

t.test('what PMDK refuses is no size', async t => {
  for (const text of ['', 'M', '8k', '8m', '8KB', '8kiB', '8mB', '8Mb', '8E', '8Kb', '1.5G', '0x10', '8_0', '8e3']) {
    t.equal(parseSize(text), undefined, text)
  }
  for (const text of ['0', '000', '-0', '0P', ' 8', '8 ', '+-8', '8M8', '٨']) t.equal(parseSize(text), undefined, text)
})

t.test('digits saturate at 2^64 - 1, a sign and the product are taken modulo 2^64', async t => {
  const most = 2n ** 64n - 1n
  t.equal(parseSize('18446744073709551615'), most)
  t.equal(parseSize(`1${'0'.repeat(100_000)}`), most)
  t.equal(parseSize('-99999999999999999999'), most)
  t.equal(parseSize('-18446744073709551615'), 1)
  t.equal(parseSize(`${'0'.repeat(100_000)}8`), 8)
  t.equal(parseSize('18446744073709551615K'), 2n ** 64n - 1024n)
  t.equal(parseSize('9007199254740991'), Number.MAX_SAFE_INTEGER)
  t.equal(parseSize('9007199254740992'), 2n ** 53n)
})

t.test('any number of digits and any suffix give the product modulo 2^64', async t => {
  fc.assert(
    fc.property(fc.bigInt(1n, 2n ** 64n - 1n), fc.constantFrom(...sizeSuffixes), (digits, [suffix, factor]) => {
      const product = (digits * factor) % 2n ** 64n
      return BigInt(parseSize(`${digits}${suffix}`) ?? 0n) === product
    }),
    { seed: 20261120, numRuns: 500 },
  )
  t.pass()
})
