import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB, type PoolAttributes, pageSize, RpmemError, zeroAttributes } from '../../core/index.js'
import {
  createReplicaParts,
  decodeHeader,
  openReplicaParts,
  removePart,
  removeReplicaParts,
  type Storage,
} from '../../pool/index.js'
import { nativeStorage } from '../../pool/native-storage.js'
import { readVector } from './header-vectors.js'
import { scratch } from './scratch.js'

const plain = { singleHeader: false, noHeaders: false }
const single = { singleHeader: true, noHeaders: false }
const none = { singleHeader: false, noHeaders: true }

const attributes: PoolAttributes = {
  ...zeroAttributes(),
  signature: new Uint8Array(Buffer.from('VECTOR01')),
  major: 7,
  incompat: 2,
  poolsetUuid: new Uint8Array(16).fill(1),
  uuid: new Uint8Array(16).fill(2),
  nextUuid: new Uint8Array(16).fill(3),
  prevUuid: new Uint8Array(16).fill(4),
  userFlags: new Uint8Array(16).fill(5),
}

function places(t: Test, ...sizes: number[]) {
  const directory = scratch(t)
  return sizes.map((size, index) => ({ path: join(directory, `part${index}`), size }))
}

function writeAt(path: string, bytes: Uint8Array, position: number): void {
  const fd = openSync(path, 'r+')
  writeSync(fd, bytes, 0, bytes.length, position)
  closeSync(fd)
}

function fifo(path: string): void {
  unlinkSync(path)
  execFileSync('mkfifo', [path])
}

t.test('a replica of three parts opens again with what was made durable in it', async t => {
  const parts = places(t, 8 * MiB + 1, 4 * MiB, 3 * MiB)
  const made = await createReplicaParts({ parts, options: plain, attributes })
  t.equal(made.size, 15 * MiB - 2 * pageSize)
  t.equal(made.memory.size, made.size)
  t.strictSame(made.attributes, attributes)
  const across = 8 * MiB - 10
  made.memory.copyIn(across, new Uint8Array(20).fill(9))
  await made.close()
  for (const { path, size } of parts) t.equal(statSync(path).size, size, 'parts have their exact size')
  t.strictSame(new Uint8Array(readFileSync(parts[1]?.path ?? '')).subarray(4096, 4106), new Uint8Array(10).fill(9))
  const again = await openReplicaParts({ parts, options: plain })
  t.strictSame(again.attributes, attributes)
  const back = new Uint8Array(20)
  again.memory.read(across, back)
  t.strictSame(back, new Uint8Array(20).fill(9))
  await again.close()
})

t.test('new parts belong to their owner alone unless a mode is given', async t => {
  const [one, two] = places(t, 2 * MiB, 2 * MiB)
  t.ok(one && two)
  if (!one || !two) return
  await (await createReplicaParts({ parts: [one], options: plain, attributes })).close()
  await (await createReplicaParts({ parts: [two], options: plain, attributes, mode: 0o664 })).close()
  t.equal(statSync(one.path).mode & 0o777, 0o600)
  t.equal(statSync(two.path).mode & 0o777, 0o664)
})

t.test('the space of a part is allocated when it is made', async t => {
  const parts = places(t, 4 * MiB)
  await (await createReplicaParts({ parts, options: plain, attributes })).close()
  t.ok(statSync(parts[0]?.path ?? '').blocks * 512 >= 4 * MiB)
})

t.test('SINGLEHDR writes one header, NOHDRS none', async t => {
  const one = places(t, 2 * MiB, 2 * MiB)
  const made = await createReplicaParts({ parts: one, options: single, attributes: { ...attributes, incompat: 3 } })
  t.equal(made.size, 4 * MiB)
  await made.close()
  t.ok(new Uint8Array(readFileSync(one[1]?.path ?? '')).every(byte => byte === 0))
  const header = decodeHeader(new Uint8Array(readFileSync(one[0]?.path ?? '')))
  t.strictSame(header.nextPartUuid, header.uuid, 'the only header is its own neighbour')

  const bare = places(t, 2 * MiB, 2 * MiB)
  const without = await createReplicaParts({ parts: bare, options: none, attributes: undefined })
  t.equal(without.size, 4 * MiB)
  t.equal(without.attributes, undefined)
  await without.setAttributes(undefined)
  await t.rejects(without.setAttributes(attributes), { code: 'ERR_ATTRIBUTES' })
  await without.close()
  t.ok(new Uint8Array(readFileSync(bare[0]?.path ?? '')).every(byte => byte === 0))
  await (await openReplicaParts({ parts: bare, options: none })).close()
})

t.test('attributes and options must agree', async t => {
  const parts = places(t, 2 * MiB)
  const [path] = parts.map(part => part.path)
  const cases = [
    { options: plain, attributes: undefined },
    { options: plain, attributes: zeroAttributes() },
    { options: none, attributes },
    { options: single, attributes },
    { options: plain, attributes: { ...attributes, incompat: 1 } },
    { options: { singleHeader: true, noHeaders: true }, attributes: { ...attributes, incompat: 1 } },
  ]
  for (const wrong of cases) await t.rejects(createReplicaParts({ parts, ...wrong }), { code: 'ERR_ATTRIBUTES' })
  t.notOk(existsSync(path ?? ''), 'no file was touched')
  const both = { singleHeader: true, noHeaders: true }
  const made = await createReplicaParts({ parts, options: both, attributes: zeroAttributes() })
  t.equal(made.attributes, undefined, 'both options and no attributes: no header')
  await made.close()
})

t.test('zero attributes are filled in as rpmemd does', async t => {
  const minimal = { ...zeroAttributes(), signature: Buffer.from('MINIMAL\0'), major: 1, incompat: 2 }
  const made = await createReplicaParts({ parts: places(t, 2 * MiB), options: plain, attributes: minimal })
  const found = made.attributes
  t.ok(found)
  t.strictSame(found?.prevUuid, found?.uuid)
  t.strictSame(found?.nextUuid, found?.uuid)
  t.equal((found?.uuid[7] ?? 0) >> 4, 4, 'a UUID of version 4')
  t.equal((found?.poolsetUuid[7] ?? 0) >> 4, 4)
  t.ok(found?.userFlags.some(byte => byte !== 0))
  await made.close()
})

t.test('an existing part is adopted if it is of the right size and begins with zeros', async t => {
  const parts = places(t, 2 * MiB)
  const path = parts[0]?.path ?? ''
  writeFileSync(path, '', { mode: 0o640 })
  await t.rejects(createReplicaParts({ parts, options: plain, attributes }), { code: 'ERR_PART_SIZE' })
  truncateSync(path, 2 * MiB)
  const made = await createReplicaParts({ parts, options: plain, attributes })
  await made.remove()
  t.ok(existsSync(path), 'it was there before and stays')
  t.ok(
    new Uint8Array(readFileSync(path)).every(byte => byte === 0),
    'without its header',
  )
  t.equal(statSync(path).mode & 0o777, 0o640)
})

t.test('a part that holds something is never overwritten', async t => {
  const parts = places(t, 2 * MiB, 2 * MiB)
  await (await createReplicaParts({ parts: parts.slice(1), options: plain, attributes })).close()
  const before = readFileSync(parts[1]?.path ?? '')
  await t.rejects(createReplicaParts({ parts, options: plain, attributes }), {
    code: 'ERR_PART_EXISTS',
    facts: { part: parts[1]?.path },
  })
  t.notOk(existsSync(parts[0]?.path ?? ''), 'the part that this attempt made is gone')
  t.ok(readFileSync(parts[1]?.path ?? '').equals(before))
})

t.test('removal takes all files of an opened replica', async t => {
  const parts = places(t, 2 * MiB, 2 * MiB)
  await (await createReplicaParts({ parts, options: plain, attributes })).close()
  await (await openReplicaParts({ parts, options: plain })).remove()
  for (const { path } of parts) t.notOk(existsSync(path))
})

t.test('a second opener is refused as long as the first lives', async t => {
  const parts = places(t, 2 * MiB)
  const paths = parts.map(part => part.path)
  const pool = { replicas: [parts], options: plain }
  const first = await createReplicaParts({ parts, options: plain, attributes })
  await t.rejects(openReplicaParts({ parts, options: plain }), { code: 'ERR_POOL_BUSY', facts: { part: paths[0] } })
  await t.rejects(createReplicaParts({ parts, options: plain, attributes }), { code: 'ERR_POOL_BUSY' })
  await t.rejects(removeReplicaParts(pool), { code: 'ERR_POOL_BUSY' })
  await t.rejects(removePart(paths[0] ?? ''), { code: 'ERR_POOL_BUSY' })
  t.ok(existsSync(paths[0] ?? ''), 'no part is taken away from its user')
  await first.close()
  await first.close()
  await (await openReplicaParts({ parts, options: plain })).close()
  await removeReplicaParts(pool)
  await t.rejects(removeReplicaParts(pool), { code: 'ERR_PART_MISSING' })
})

t.test('a pool is removed as a whole or not at all', async t => {
  const broken: [name: string, code: string, damage: (path: string) => void][] = [
    ['a part is missing', 'ERR_PART_MISSING', path => unlinkSync(path)],
    ['a part has another size', 'ERR_PART_SIZE', path => truncateSync(path, 3 * MiB)],
    ['a header is empty', 'ERR_HEADER_INVALID', path => writeAt(path, Buffer.alloc(4096), 0)],
    ['a header is damaged', 'ERR_HEADER_INVALID', path => writeAt(path, Buffer.from('x'), 100)],
    ['a part is a fifo', 'ERR_POOLSET_UNSUITABLE', fifo],
  ]
  for (const [name, code, damage] of broken) {
    const parts = places(t, 2 * MiB, 2 * MiB, 2 * MiB)
    await (await createReplicaParts({ parts, options: plain, attributes })).close()
    const [first = '', second = '', third = ''] = parts.map(part => part.path)
    damage(second)
    await t.rejects(removeReplicaParts({ replicas: [parts], options: plain }), { code, facts: { part: second } }, name)
    t.ok(existsSync(first) && existsSync(third), name)
    await removePart(first)
    t.notOk(existsSync(first), 'a part by itself is removed whatever the others are')
  }
})

t.test('parts of two pools are no pool', async t => {
  const [one, two] = [places(t, 2 * MiB, 2 * MiB), places(t, 2 * MiB, 2 * MiB)]
  for (const parts of [one, two]) await (await createReplicaParts({ parts, options: plain, attributes })).close()
  const mixed = [...one.slice(0, 1), ...two.slice(1)]
  await t.rejects(removeReplicaParts({ replicas: [mixed], options: plain }), { code: 'ERR_HEADER_INVALID' })
  await removeReplicaParts({ replicas: [one, two], options: plain })
  for (const { path } of [...one, ...two]) t.notOk(existsSync(path))
})

t.test('of a part that is a link only the link is removed', async t => {
  const directory = scratch(t)
  const parts = [{ path: join(directory, 'link'), size: 2 * MiB }]
  const real = join(directory, 'real')
  await (await createReplicaParts({ parts: [{ path: real, size: 2 * MiB }], options: plain, attributes })).close()
  symlinkSync(real, parts[0]?.path ?? '')
  const before = readFileSync(real)
  await removeReplicaParts({ replicas: [parts], options: plain })
  t.same(readdirSync(directory), ['real'])
  t.ok(readFileSync(real).equals(before))
})

t.test('one file under two names is busy, under one name unsuitable', async t => {
  const directory = scratch(t)
  const file = { path: join(directory, 'file'), size: 2 * MiB }
  const link = { path: join(directory, 'link'), size: 2 * MiB }
  symlinkSync(file.path, link.path)
  const options = plain
  await t.rejects(createReplicaParts({ parts: [file, link], options, attributes }), { code: 'ERR_POOL_BUSY' })
  await t.rejects(createReplicaParts({ parts: [file, file], options, attributes }), { code: 'ERR_POOLSET_UNSUITABLE' })
  t.strictSame(readdirSync(directory), ['link'])
})

t.test('every wrong part has its own error and leaves nothing behind', async t => {
  const directory = scratch(t)
  const at = (name: string, size = 2 * MiB) => [{ path: join(directory, name), size }]
  mkdirSync(join(directory, 'directory'))
  const create = (parts: ReturnType<typeof at>) => createReplicaParts({ parts, options: plain, attributes })
  const open = (parts: ReturnType<typeof at>) => openReplicaParts({ parts, options: plain })
  await t.rejects(create(at('small', 2 * MiB - 1)), { code: 'ERR_PART_SIZE' })
  await t.rejects(create(at('huge', 2 ** 63)), { code: 'ERR_PART_SIZE' })
  await t.rejects(create(at('directory')), { code: 'ERR_POOLSET_UNSUITABLE' })
  await t.rejects(create(at('absent/part')), { code: 'ERR_PART_IO', facts: { system: 'ENOENT' } })
  await t.rejects(create([{ path: '/dev/null', size: 2 * MiB }]), { code: 'ERR_POOLSET_UNSUITABLE' })
  await t.rejects(open(at('absent')), { code: 'ERR_PART_MISSING' })
  await t.rejects(open(at('directory')), { code: 'ERR_POOLSET_UNSUITABLE' })
  writeFileSync(join(directory, 'zero'), Buffer.alloc(2 * MiB))
  await t.rejects(open(at('zero')), { code: 'ERR_HEADER_INVALID', facts: { field: 'signature' } })
  await t.rejects(open(at('zero', 3 * MiB)), { code: 'ERR_PART_SIZE' })
  t.strictSame(readdirSync(directory).sort(), ['directory', 'zero'])
})

t.test('a failure at any step takes back what was made', async t => {
  const enospc = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const failing = (step: 'lock' | 'allocate' | 'map', count: number): Storage => {
    let left = count
    const at = <A extends unknown[], R>(name: string, work: (...args: A) => R, fail: () => R) => {
      return (...args: A): R => (name === step && left-- === 0 ? fail() : work(...args))
    }
    return {
      ...nativeStorage,
      lock: at('lock', nativeStorage.lock, () => false),
      allocate: at('allocate', nativeStorage.allocate, () => Promise.reject(enospc)),
      map: at('map', nativeStorage.map, () => {
        throw new RpmemError('ERR_MAP', 'out of address space')
      }),
    }
  }
  const cases = [
    ['lock', 0, 'ERR_POOL_BUSY'],
    ['lock', 1, 'ERR_POOL_BUSY'],
    ['allocate', 0, 'ERR_DISK_FULL'],
    ['allocate', 1, 'ERR_DISK_FULL'],
    ['map', 0, 'ERR_MAP'],
  ] as const
  for (const [step, count, code] of cases) {
    const parts = places(t, 2 * MiB, 2 * MiB)
    const storage = failing(step, count)
    await t.rejects(createReplicaParts({ parts, options: plain, attributes, storage }), { code })
    for (const { path } of parts) t.notOk(existsSync(path), `nothing left after ${step} ${count}`)
    const made = await createReplicaParts({ parts, options: plain, attributes })
    await made.close()
    if (step !== 'allocate') {
      await t.rejects(openReplicaParts({ parts, options: plain, storage: failing(step, count) }), { code })
      await (await openReplicaParts({ parts, options: plain })).close()
    }
  }
})

t.test('a creation that cannot be taken back says why it failed, and what is left', async t => {
  const [first, second] = places(t, 2 * MiB, 2 * MiB)
  if (!first || !second) throw new Error('two places were asked for')
  const storage: Storage = {
    ...nativeStorage,
    map() {
      // Then it cannot be removed any more.
      unlinkSync(first.path)
      throw new RpmemError('ERR_MAP', 'out of address space')
    },
  }
  const attempt = createReplicaParts({ parts: [first, second], options: plain, attributes, storage })
  await t.rejects(attempt, {
    code: 'ERR_MAP',
    message: /^out of address space; not all/,
    facts: { left: [RegExp(first.path)] },
  })
  t.notOk(existsSync(second.path), 'the rest is taken back all the same')
})

t.test('a part that cannot be taken back says why it was not made', async t => {
  const [place] = places(t, 2 * MiB)
  if (!place) throw new Error('a place was asked for')
  const storage: Storage = {
    ...nativeStorage,
    async allocate() {
      unlinkSync(place.path)
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    },
  }
  const attempt = createReplicaParts({ parts: [place], options: plain, attributes, storage })
  await t.rejects(attempt, { code: 'ERR_DISK_FULL', facts: { left: /./ } })
})

t.test('setAttributes replaces all of them durably, the shutdown state stays', async t => {
  const parts = places(t, 2 * MiB, 2 * MiB, 2 * MiB)
  const made = await createReplicaParts({ parts, options: plain, attributes })
  const other = { ...attributes, uuid: new Uint8Array(16).fill(0xee), userFlags: new Uint8Array(16), major: 8 }
  await Promise.all([made.setAttributes({ ...other, major: 9 }), made.setAttributes(other)])
  t.strictSame(made.attributes, other, 'the last call wins, zero flags stay zero')
  await t.rejects(made.setAttributes(undefined), { code: 'ERR_ATTRIBUTES' })
  await made.close()
  await t.rejects(made.setAttributes(other), { code: 'ERR_CLOSED' })
  const again = await openReplicaParts({ parts, options: plain })
  t.strictSame(again.attributes, other)
  await again.close()
})

t.test('the shutdown state is dirty while the pool is open and zero afterwards', async t => {
  const parts = places(t, 2 * MiB)
  const read = () => new Uint8Array(readFileSync(parts[0]?.path ?? '')).subarray(4024, 4088)
  const states = readVector('09-remote-sds.txt').map(({ page }) => page.subarray(4024, 4088))
  const made = await createReplicaParts({ parts, options: plain, attributes: { ...attributes, incompat: 6 } })
  t.strictSame(read(), states[0])
  await made.close()
  t.strictSame(read(), states[1])
  const again = await openReplicaParts({ parts, options: plain })
  t.strictSame(read(), states[0])
  await again.close()
})

const captured: [string, number[], typeof plain][] = [
  ['01-remote-single-part.txt', [8], plain],
  ['05-remote-three-parts.txt', [8, 4, 3], plain],
  ['07-remote-singlehdr-two-parts.txt', [4, 4], single],
  ['08-remote-nohdrs.txt', [8], none],
  ['09-remote-sds.txt', [8], plain],
  ['10-obj-single-file.txt', [8], plain],
  ['12-obj-singlehdr-two-parts.txt', [8, 6], single],
]
for (const [name, sizes, options] of captured) {
  t.test(`a pool made by PMDK opens: ${name}`, async t => {
    const parts = places(t, ...sizes.map(size => size * MiB))
    const pages = readVector(name)
    for (const [index, { path, size }] of parts.entries()) {
      const file = Buffer.alloc(size)
      file.set(pages[index]?.page ?? [])
      writeFileSync(path, file)
    }
    const opened = await openReplicaParts({ parts, options })
    t.equal(
      opened.attributes?.major,
      options.noHeaders ? undefined : decodeHeader(pages[0]?.page ?? new Uint8Array()).major,
    )
    const second = pages[1]?.page
    if (options.singleHeader && second) {
      const found = new Uint8Array(64)
      opened.memory.read((sizes[0] ?? 0) * MiB, found)
      t.strictSame(found, second.slice(0, 64), 'the second part follows the first without a gap')
    }
    await opened.close()
  })
}

t.test('a pool that keeps a shutdown state knows its devices again, and only theirs', async t => {
  const parts = places(t, 2 * MiB, 2 * MiB)
  const path = parts[0]?.path ?? ''
  let count = 2n
  let readable = true
  const storage: Storage = {
    ...nativeStorage,
    unsafeShutdowns() {
      if (!readable) throw new Error('only root may')
      return { count, device: 'abc' }
    },
  }
  const request = { parts, options: plain, storage }
  const stored = () => decodeHeader(readFileSync(path).subarray(0, pageSize)).shutdownState
  const known = { unsafeShutdowns: 4n, devices: BigInt.asUintN(64, 2n * 0xc6c4c200636261n) }

  const made = await createReplicaParts({ ...request, attributes: { ...attributes, incompat: 6 } })
  t.match(stored(), { ...known, dirty: 1 }, 'open')
  await made.close()
  t.match(stored(), { ...known, dirty: 0 }, 'closed')

  const crashed = readFileSync(path)
  const open = await openReplicaParts(request)
  readFileSync(path).copy(crashed)
  await open.close()
  const crash = () => writeFileSync(path, crashed)

  crash()
  await (await openReplicaParts(request)).close()
  t.match(stored(), { ...known, dirty: 0 }, 'a crash without a loss of power does no harm')

  crash()
  count = 3n
  await t.rejects(openReplicaParts(request), { code: 'ERR_SHUTDOWN_STATE', facts: { part: path } })
  count = 2n
  readable = false
  await t.rejects(openReplicaParts(request), { code: 'ERR_SHUTDOWN_STATE' }, 'who cannot see the devices cannot judge')

  readable = true
  await (await openReplicaParts(request)).close()
  count = 9n
  await (await openReplicaParts(request)).close()
  t.match(stored(), { unsafeShutdowns: 18n, dirty: 0 }, 'a pool that was closed has nothing to lose')
})

t.test('a part that is appended adds its device to the shutdown state', async t => {
  const parts = places(t, 2 * MiB)
  const storage: Storage = { ...nativeStorage, unsafeShutdowns: () => ({ count: 5n, device: 'abc' }) }
  const singleAndState = { ...attributes, incompat: 7 }
  const request = { parts, options: single, storage, attributes: singleAndState, reservation: 8 * MiB }
  const pool = await createReplicaParts(request)
  const stored = () => decodeHeader(readFileSync(parts[0]?.path ?? '').subarray(0, pageSize)).shutdownState
  const part = await pool.makePart({ path: `${parts[0]?.path}-next`, size: 2 * MiB })
  await pool.noteDevices([part])
  t.match(stored(), { unsafeShutdowns: 10n, dirty: 1 }, 'before it is mapped')
  await pool.noteDevices()
  t.match(stored(), { unsafeShutdowns: 5n, dirty: 1 }, 'taken back')
  pool.append(part, 2 * MiB)
  await pool.noteDevices()
  t.match(stored(), { unsafeShutdowns: 10n, dirty: 1 }, 'once it is mapped')
  await pool.close()
})
