import t from 'tap'
import { checkVersion } from '../../initiator/index.js'

t.test('a program for this or an older minor version finds what it needs', async t => {
  for (const minor of [0, 1, 2, 3]) t.equal(checkVersion(1, minor), undefined, `1.${minor}`)
})

t.test('another major or a newer minor version is a reason, not an exception', async t => {
  t.match(checkVersion(1, 4), /version 1\.4 .* is required, this is 1\.3/)
  for (const major of [0, 2, 2 ** 32 - 1]) t.match(checkVersion(major, 0), /major version \d+ .* is required/)
})

t.test('what is no version number is a wrong argument', async t => {
  for (const value of [-1, 1.5, Number.NaN, 2 ** 32]) {
    t.throws(() => checkVersion(value, 0), { code: 'ERR_ARGUMENT' })
    t.throws(() => checkVersion(1, value), { code: 'ERR_ARGUMENT' })
  }
})
