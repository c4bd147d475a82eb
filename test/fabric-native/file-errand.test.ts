import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { seededRandom } from '../../core/index.js'
import { loadBinding } from '../../fabric-native/binding.js'
import { copyExtents, type FileErrand, growFile, syncFile, writePieces } from '../../fabric-native/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

function openFiles(t: Test) {
  const path = join(temporaryFolder(t), 'file')
  const fd = openSync(path, 'w+')
  t.teardown(() => closeSync(fd))
  return { path, fd }
}

/** The three ways in which an errand can be carried out. */
const ways: Readonly<Record<string, (errand: FileErrand) => unknown>> = {
  here: errand => errand.run(),
  'in another thread': errand => errand.start().done,
  'in another thread, and waited for in place': errand => errand.start().join(),
}

for (const [way, carry] of Object.entries(ways)) {
  t.test(`${way}: all pieces are written in their order, more than one call takes`, async t => {
    const { path, fd } = openFiles(t)
    const pieces = Array.from({ length: 2500 }, (_, at) => seededRandom(at).bytes(at % 5))
    await carry(writePieces(fd, 3, pieces, true))
    sameBytes(t, readFileSync(path), Buffer.concat([Buffer.alloc(3), ...pieces]), 'the file')
  })

  t.test(`${way}: extents are copied within a file and between files`, async t => {
    const from = openFiles(t)
    const to = openFiles(t)
    const bytes = seededRandom(1).bytes(3_000_000)
    await carry(writePieces(from.fd, 0, [bytes], false))
    await carry(copyExtents(from.fd, to.fd, Float64Array.of(5, 0, 2_500_000, 0, 2_500_001, 7)))
    const expected = Buffer.concat([bytes.subarray(5, 2_500_005), Buffer.alloc(1), bytes.subarray(0, 7)])
    sameBytes(t, readFileSync(to.path), expected, 'the copy')
    await carry(copyExtents(from.fd, from.fd, Float64Array.of(0, 0, 4096)))
    sameBytes(t, readFileSync(from.path), bytes, 'the file, over itself')
    await carry(syncFile(to.fd))
  })

  t.test(`${way}: a file grows with space for it and never shrinks`, async t => {
    const { path, fd } = openFiles(t)
    await carry(growFile(fd, 1 << 20))
    await carry(growFile(fd, 4096))
    t.equal(statSync(path).size, 1 << 20)
    t.ok(statSync(path).blocks * 512 >= 1 << 20)
  })

  t.test(`${way}: what fails is a system error`, async t => {
    const { fd } = openFiles(t)
    const readOnly = openSync('/dev/null', 'r')
    t.teardown(() => closeSync(readOnly))
    const failing = {
      EBADF: writePieces(readOnly, 0, [new Uint8Array(1)], false),
      EIO: copyExtents(fd, fd, Float64Array.of(0, 0, 1)),
      EINVAL: growFile(fd, 0),
    }
    for (const [code, errand] of Object.entries(failing)) {
      await t.rejects((async () => carry(errand))(), { code, syscall: /^p/ })
    }
  })
}

t.test('an errand that is waited for in place still ends its promise', async t => {
  const { fd } = openFiles(t)
  const pending = writePieces(fd, 0, [new Uint8Array(8)], true).start()
  pending.join()
  pending.join()
  await pending.done
  const failing = syncFile(-1)
  t.throws(() => failing.start(), { code: 'EBADF' })
})

t.test('a hundred errands of which every second is joined all end', async t => {
  const { path, fd } = openFiles(t)
  const begun = Array.from({ length: 100 }, (_, at) => writePieces(fd, at, [Uint8Array.of(at)], at % 7 === 0).start())
  for (const [at, pending] of begun.entries()) if (at % 2 === 0) pending.join()
  await Promise.all(begun.map(({ done }) => done))
  t.same([...readFileSync(path)], [...begun.keys()])
})

t.test('wrong arguments are errors and end no process', async t => {
  const native = loadBinding() as unknown as Record<string, (...args: unknown[]) => unknown>
  for (const wrong of [
    [],
    [true],
    [true, 0],
    [true, 1, -1, [], true],
    [true, 1, 0, {}, true],
    [true, 1, 0, [{}], true],
    [true, 0.5, 0, [], true],
  ]) {
    t.throws(() => native.writePieces?.(...wrong))
    t.throws(() => native.copyExtents?.(...wrong))
  }
  for (const wrong of [
    Float64Array.of(1, 2),
    Float64Array.of(-1, 0, 1),
    Float64Array.of(0, 0, Number.NaN),
    [1, 2, 3],
  ]) {
    t.throws(() => native.copyExtents?.(false, 1, 1, wrong))
  }
  t.throws(() => native.syncFile?.(true, -1))
  t.throws(() => native.growFile?.(false, 1, 2 ** 53))
})
