import { closeSync, fstatSync, openSync } from 'node:fs'
import t from 'tap'
import {
  allocateFile,
  allocateFileSync,
  fileSystemKind,
  lockFile,
  mappableSize,
  unsafeShutdowns,
} from '../../fabric-native/index.js'
import { inMemory, MappedFile, onDisk } from '../fixture/mapped-file.js'

t.test('allocation gives a file its length and its blocks', async t => {
  for (const under of [onDisk, inMemory]) {
    const file = new MappedFile(t, 4096, under)
    await allocateFile(file.fd, 1 << 20)
    t.match(fstatSync(file.fd), { size: 1 << 20 })
    t.ok(fstatSync(file.fd).blocks * 512 >= 1 << 20, under)
    allocateFileSync(file.fd, 4096)
    t.match(fstatSync(file.fd), { size: 1 << 20 }, 'a shorter range leaves the file as it is')
  }
})

t.test('allocation without room says ENOSPC', async t => {
  const file = new MappedFile(t, 4096, inMemory)
  const tooMuch = 2 ** 50
  const expected = { code: 'ENOSPC', syscall: 'posix_fallocate', errno: -28 }
  t.throws(() => allocateFileSync(file.fd, tooMuch), expected)
  await t.rejects(allocateFile(file.fd, tooMuch), expected)
})

t.test('a file is locked against every other opener until it is closed', async t => {
  const file = new MappedFile(t, 4096)
  t.equal(lockFile(file.fd), true)
  t.equal(lockFile(file.fd), true, 'the holder may ask again')
  const other = openSync(file.path, 'r+')
  t.equal(lockFile(other), false)
  closeSync(other)

  const third = openSync(file.path, 'r+')
  const memory = new MappedFile(t, 4096)
  const mapped = memory.map()
  const reopened = openSync(memory.path, 'r+')
  t.equal(lockFile(reopened), true, 'a mapping is no lock')
  mapped.close()
  for (const fd of [third, reopened]) closeSync(fd)
})

t.test('tmpfs is in memory, and what can be mapped has a size and an alignment', async t => {
  const file = new MappedFile(t, 3 * 4096, inMemory)
  t.match(fileSystemKind(file.fd), { inMemory: true, magic: 0x01021994 })
  t.same(mappableSize(file.fd), { size: 3 * 4096, alignment: 4096, deviceDax: false })
})

t.test('a file on no memory module has lost nothing by unsafe shutdowns', async t => {
  for (const base of [inMemory, onDisk])
    t.same(unsafeShutdowns(new MappedFile(t, 4096, base).fd), { count: 0n, device: '' })
  t.throws(() => unsafeShutdowns(1_000_000), { code: 'EINVAL', syscall: 'pmem2_source_device_usc' })
})

t.test('what cannot be mapped is a system error', async t => {
  const directory = openSync(onDisk, 'r')
  const terminal = openSync('/dev/null', 'r+')
  for (const fd of [directory, terminal]) {
    t.throws(() => mappableSize(fd), { code: 'ENODEV', syscall: 'pmem2_source' })
    closeSync(fd)
  }
  t.throws(() => lockFile(1_000_000), { code: 'EBADF', syscall: 'flock' })
  t.throws(() => fileSystemKind(1_000_000), { code: 'EBADF', syscall: 'fstatfs' })
  await t.rejects(allocateFile(1_000_000, 4096), { code: 'EBADF', syscall: 'posix_fallocate' })
})
