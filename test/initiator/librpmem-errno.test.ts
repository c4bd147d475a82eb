import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { catalogue, type RpmemError } from '../../core/index.js'
import { ExternalClient, RemotePool, type RemotePoolCreateOptions, readEnvironment } from '../../initiator/index.js'
import { type ScriptedShell, saying } from './scripted-shell.js'
import { attributes, type TargetBed, targetBed } from './target-bed.js'

// What librpmem leaves in errno, from the reference (rpmem-protocol A1.2, A2, A3, A6 to A8, B8), as the numbers of Linux.
const [ENOENT, EBUSY, EEXIST, EINVAL, EFBIG, EPROTO] = [2, 16, 17, 22, 27, 71]
const [ECONNRESET, EREMOTEIO, ENOMEDIUM] = [104, 121, 123]

type Attempt = (bed: TargetBed) => Promise<unknown> | unknown

const creating =
  (set: string, options: Partial<RemotePoolCreateOptions> = {}): Attempt =>
  ({ create }) =>
    create(set, options)

const twice: Attempt = async ({ create }) => {
  await (await create()).close()
  return create()
}

const refusals: [situation: string, errno: number, attempt: Attempt][] = [
  ['A6 BADNAME: a set outside of the directory', EINVAL, creating('../single.set')],
  ['A6 BADNAME: an absolute name', EINVAL, creating('/etc/passwd')],
  ['A6 BADSIZE: a pool smaller than the memory', EFBIG, creating('four.set')],
  ['A6 EXISTS: a header in the way', EEXIST, twice],
  ['A6 NOEXIST: no such set', ENOENT, creating('nowhere.set')],
  ['A6 NOEXIST: no such part', ENOENT, ({ open }) => open()],
  ['A6 POOL_CFG: a malformed set', EINVAL, creating('bad.set')],
  ['A6 POOL_CFG: a small part', EINVAL, creating('small.set')],
  ['A6 POOL_CFG: replicas', EINVAL, creating('rep.set')],
  ['A6 POOL_CFG: attributes without headers', EINVAL, creating('nohdrs.set')],
  ['A6 POOL_CFG: headers without attributes', EINVAL, creating('single.set', { attributes: undefined })],
  ['A6 POOL_CFG: SINGLEHDR only here', EINVAL, creating('single.set', { attributes: { ...attributes, incompat: 1 } })],
  ['A7: zero lanes', EINVAL, creating('single.set', { lanes: 0 })],
  ['A7: a size that is no multiple of the page size', EINVAL, creating('single.set', { size: 4097 })],
  ['A7: a size of zero', EINVAL, creating('single.set', { size: 0 })],
]

async function errnoOf(t: Test, attempt: () => Promise<unknown> | unknown, situation: string): Promise<number> {
  try {
    await attempt()
  } catch (error) {
    t.type((error as RpmemError).code, 'string', situation)
    return (error as RpmemError).errno ?? 0
  }
  return 0
}

for (const dialect of ['rpmem', 'pmdk'] as const) {
  t.test(`a refusal carries the errno of librpmem, over the ${dialect} dialect`, async t => {
    for (const [situation, errno, attempt] of refusals) {
      const bed = await targetBed(t, dialect)
      writeFileSync(join(bed.pools, 'four.set'), `PMEMPOOLSET\n4M ${bed.parts}/four\n`)
      t.equal(await errnoOf(t, () => attempt(bed), situation), errno, situation)
    }
  })

  t.test(`A6 BUSY: a pool in use is EBUSY over the ${dialect} dialect`, async t => {
    const bed = await targetBed(t, dialect)
    await (await bed.create()).close()
    bed.storage.lock = () => false
    t.equal(await errnoOf(t, () => bed.open(), 'open'), EBUSY)
  })

  t.test(`B8: the calls on a pool carry the errno of librpmem, over the ${dialect} dialect`, async t => {
    const { create, kill } = await targetBed(t, dialect)
    const pool = await create()
    const { size, laneCount: lane } = pool
    const wrong: [string, () => unknown][] = [
      ['persist into the header', () => pool.persistSync(4095, 8)],
      ['flush into the header', () => pool.flush(0, 8)],
      ['deep persist into the header', () => pool.deepPersistSync(4095, 8)],
      ['persist behind the end', () => pool.persistSync(size, 8)],
      ['persist over the end', () => pool.persist(size - 4, 8)],
      ['a lane too many for a persist', () => pool.persistSync(4096, 8, { lane })],
      ['a lane too many for a flush', () => pool.flush(4096, 8, { lane })],
      ['a lane too many for a drain', () => pool.drainSync({ lane })],
      ['a lane too many for a read', () => pool.readSync(4096, new Uint8Array(8), { lane })],
      ['attributes for a pool without, or none for one with', () => pool.setAttributes(undefined)],
    ]
    for (const [name, call] of wrong) t.equal(await errnoOf(t, call, name), EINVAL, name)
    pool.persistSync(4096, 8)
    t.pass('in librpmem a wrong range or lane would have spoiled all that follows')

    const held = setTimeout(() => {}, 30_000)
    const lost = new Promise(resolve => pool.once('lost', resolve))
    kill()
    await lost
    clearTimeout(held)
    const late: [string, () => unknown][] = [
      ['persist', () => pool.persistSync(4096, 8)],
      ['deep persist', () => pool.deepPersist(4096, 8)],
      ['flush', () => pool.flush(4096, 8)],
      ['drain', () => pool.drain()],
      ['read', () => pool.read(4096, new Uint8Array(8))],
      ['set attributes', () => pool.setAttributes(attributes)],
    ]
    for (const [name, call] of late) t.equal(await errnoOf(t, call, name), ECONNRESET, `${name} after a loss`)
  })
}

t.test('A9: lanes that do not come up are EREMOTEIO', async t => {
  const { create, options } = await targetBed(t)
  const refused = catalogue.ERR_IN_BAND_REFUSED.errno
  t.equal(refused, EREMOTEIO)
  t.equal(catalogue.ERR_PORT_UNREACHABLE.errno, EREMOTEIO)
  const { fabric } = options
  const deaf = { probe: fabric.probe.bind(fabric), listen: fabric.listen.bind(fabric) }
  const attempt = () => create('single.set', { fabric: { ...deaf, connect: o => fabric.connect({ ...o, port: 9 }) } })
  t.equal(await errnoOf(t, attempt, 'a port on which nobody listens'), EREMOTEIO)
})

t.test('A2: without a provider that both ends have it is ENOMEDIUM', async t => {
  const { create, options } = await targetBed(t)
  const { fabric } = options
  const bare = { connect: fabric.connect.bind(fabric), listen: fabric.listen.bind(fabric), probe: async () => [] }
  t.equal(await errnoOf(t, () => create('single.set', { fabric: bare }), 'no provider'), ENOMEDIUM)
})

t.test('A1.2: an address that cannot be read is EINVAL', async t => {
  const { memory, options } = await targetBed(t)
  for (const node of ['', 'me@', '[::1', 'node:0', 'node:65536', 'node:x', '[::1]:x'])
    t.equal(await errnoOf(t, () => RemotePool.open(node, 'a.set', memory, options), node), EINVAL, `'${node}'`)
})

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

/** A response to an open request: this status, and the attributes and the in-band block all zero. */
function openResponse({ status = 0, type = 4, size = 148 }): Buffer {
  const bytes = Buffer.alloc(148)
  bytes.writeUInt32BE(status, 0)
  bytes.writeUInt32BE(type, 4)
  bytes.writeBigUInt64BE(BigInt(size), 8)
  return Buffer.concat([word(0), bytes])
}

const beginnings: [situation: string, errno: number, shell: () => ScriptedShell][] = [
  ['A3: a start-up status', 13, () => saying(word(13))],
  ['A3: another start-up status', 95, () => saying(word(95))],
  ['A3: the end instead of the status', ECONNRESET, () => saying('', 'why\n', { exitCode: 1 })],
  ['A3: no such command', ECONNRESET, () => saying('', 'sh: rpmemd: not found\n', { exitCode: 127 })],
  ['A7: the end instead of an answer', ECONNRESET, () => saying(word(0), '', { exitCode: 1 })],
  ['A6: a status that PMDK does not know', EPROTO, () => saying(openResponse({ status: 14 }))],
  ['A7: an answer to another request', EPROTO, () => saying(openResponse({ type: 2 }))],
  ['A7: an answer of another size', EPROTO, () => saying(openResponse({ size: 147 }))],
  ['A7: port 0', EPROTO, () => saying(openResponse({}))],
]

for (const [situation, errno, shell] of beginnings) {
  t.test(`${situation} is errno ${errno}`, async t => {
    const { memory, options } = await targetBed(t, 'pmdk')
    const open = () => RemotePool.open('me@node2', 'a.set', memory, { ...options, shell: shell() })
    t.equal(await errnoOf(t, open, situation), errno)
  })
}

t.test('A3: an ssh that cannot be run is ECONNRESET', async t => {
  const { memory, options } = await targetBed(t)
  const shell = new ExternalClient('/nowhere/ssh', { host: 'node2' })
  const open = () => RemotePool.open('me@node2', 'a.set', memory, { ...options, shell })
  t.equal(await errnoOf(t, open, 'a client that is not there'), ECONNRESET)
  for (const [code, { errno }] of Object.entries({ ...catalogue } as Record<string, { errno?: number }>))
    if (/^ERR_(SSH|HOST_KEY)_/.test(code)) t.equal(errno, ECONNRESET, code)
  t.equal(catalogue.ERR_HOST_UNKNOWN.errno, ENOMEDIUM, 'A2: a name that libfabric cannot resolve')
})

t.test('A8: a removal that fails carries the exit status of ssh', async t => {
  for (const exitCode of [1, 2, 9, 11, 13, 22, 77, 127, 255]) {
    const options = { shell: saying('', '', { exitCode }), environment: readEnvironment({}) }
    const remove = () => RemotePool.remove('me@node2', 'a.set', options)
    t.equal(await errnoOf(t, remove, `exit status ${exitCode}`), exitCode)
  }
  const noise = { shell: saying('hello', '', { exitCode: 0 }), environment: readEnvironment({}) }
  t.equal(await errnoOf(t, () => RemotePool.remove('me@node2', 'a.set', noise), 'noise'), EPROTO)
})
