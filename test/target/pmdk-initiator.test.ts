import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB } from '../../core/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { attributesSize, maxInline } from '../pmdk-peer/control-bytes.js'
import { modes } from '../pmdk-peer/lane-bytes.js'
import { type Grant, PmdkInitiator, PmdkLanes } from '../pmdk-peer/pmdk-initiator.js'
import { DaemonProcess } from './daemon-process.js'

/** A stand-in for librpmem 1.12 against the real daemon: no byte of what it says or reads goes through wire/ or fabric-native/. */

type Method = Grant['method']
const kinds = ['headers', 'SINGLEHDR', 'NOHDRS'] as const
type Kind = (typeof kinds)[number]

interface Row {
  readonly method: Method
  readonly parts: number
  readonly kind: Kind
  readonly lanes: number
}

/** Bytes of one part, and of the pool that is asked for of so many. */
const shapes = [
  { parts: 1, part: 8 * MiB, size: 8 * MiB },
  { parts: 3, part: 4 * MiB, size: 11 * MiB },
  { parts: 20, part: 2 * MiB, size: 39 * MiB },
]
/** One for each row: all that sockets can serve, and more. */
const laneCounts = [...Array.from({ length: 16 }, (_, n) => n + 1), 64, 1024]

const rows: readonly Row[] = (['GPSPM', 'APM'] as const)
  .flatMap(method => kinds.flatMap(kind => shapes.map(({ parts }) => ({ method, kind, parts }))))
  .map((row, at) => ({ ...row, lanes: laneCounts[at] ?? 1 }))

/** A node with one pool set, and what its daemon is started with. */
function place(t: Test, { parts, kind, method }: Pick<Row, 'parts' | 'kind' | 'method'>) {
  const folder = temporaryFolder(t, 'rpmem-pmdk')
  const [poolSets, files] = [join(folder, 'pools'), join(folder, 'parts')]
  for (const name of [poolSets, files]) mkdirSync(name)
  const shape = shapes.find(shape => shape.parts === parts)
  if (!shape) throw new Error(`no shape of ${parts} parts`)
  const option = kind === 'headers' ? [] : [`OPTION ${kind}`]
  const lines = Array.from({ length: parts }, (_, n) => `${shape.part} ${files}/${n}`)
  writeFileSync(join(poolSets, 'a.set'), ['PMEMPOOLSET', ...option, ...lines, ''].join('\n'))
  const args = ['--poolset-dir', poolSets, ...(method === 'APM' ? ['--persist-apm'] : [])]
  // With APM the pool has to pass for persistent memory.
  const environment = method === 'APM' ? { PMEM2_FORCE_GRANULARITY: 'cache_line' } : {}
  const start = async () => {
    const initiator = new PmdkInitiator(new DaemonProcess(t, args, environment))
    t.equal(await initiator.status(), 0, 'the daemon is ready')
    return initiator
  }
  return { start, size: shape.size, left: () => readdirSync(files).length }
}

/** Attributes as they travel, no byte like its neighbour; a pool of one header says so in its incompatible features. */
function attributesOf(kind: Kind, seed: number): Uint8Array {
  if (kind === 'NOHDRS') return new Uint8Array(attributesSize)
  const bytes = Uint8Array.from({ length: attributesSize }, (_, at) => (at * 5 + seed) & 0xff)
  bytes.set([0, 0, 0, 0, 0, 0, 0, kind === 'SINGLEHDR' ? 1 : 0], 12)
  return bytes
}

const pattern = (offset: number, length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => ((offset + at) * 7 + ((offset + at) >> 12) + seed) & 0xff)

/** Every call of librpmem on one lane, within a range of its own; what must lie there afterwards. */
async function everyCall(lanes: PmdkLanes, lane: number, at: number): Promise<Uint8Array> {
  const length = 64 * 1024
  const change = (offset: number, size: number, seed: number) =>
    lanes.store(at + offset, pattern(at + offset, size, seed))
  change(0, length, lane)
  await lanes.persist(at, length, { lane })
  change(0, 16, lane + 1)
  await lanes.persist(at, 16, { lane, relaxed: true })
  change(8192, 8, lane + 2)
  await lanes.deepPersist(at + 8192, 8, lane)
  change(16_384, 20_000, lane + 3)
  await lanes.flush(at + 16_384, 20_000, { lane })
  change(40_960, 5000, lane + 4)
  await lanes.flush(at + 40_960, 5000, { lane, relaxed: true })
  await lanes.drain(lane)
  change(49_152, maxInline + 100, lane + 5)
  await lanes.persist(at + 49_152, maxInline + 100, { lane, inline: true })
  const expected = pattern(at, length, lane)
  for (const [offset, size, seed] of [
    [0, 16, 1],
    [8192, 8, 2],
    [16_384, 20_000, 3],
    [40_960, 5000, 4],
    [49_152, maxInline + 100, 5],
  ] as const)
    expected.set(pattern(at + offset, size, lane + seed), offset)
  return expected
}

async function oneCall(lanes: PmdkLanes, lane: number, at: number): Promise<Uint8Array> {
  const bytes = pattern(at, 1000, lane)
  lanes.store(at, bytes)
  await lanes.persist(at, bytes.length, { lane })
  return bytes
}

async function leave(t: Test, initiator: PmdkInitiator, lanes: PmdkLanes): Promise<void> {
  await lanes.end.end()
  t.equal(await initiator.ask('close'), 0, 'close succeeds')
  t.equal((await initiator.channel.read(1)).length, 0, 'nothing comes that nobody asked for')
  t.equal(await initiator.channel.ended, 0, 'the daemon has ended well')
}

for (const row of rows) {
  const { method, parts, kind, lanes: asked } = row
  t.test(`${method}, ${parts} parts, ${kind}, ${asked} lanes asked: librpmem's whole life with our daemon`, async t => {
    const { start, size, left } = place(t, row)
    const granted = Math.min(asked, 16)
    const shape = { poolSize: size, lanes: asked }
    const attributes = attributesOf(kind, 1)
    const first = await start()
    const created = await first.serve('create', 'a.set', { ...shape, attributes })
    t.match(created, { status: 0, method, lanes: granted })
    t.ok(created.port > 0 && created.port < 65_536)
    const lanes = await PmdkLanes.connect(t, { grant: created, size })
    // The last range lies at the end of the pool; with several parts the ranges cross from one to the next.
    const places = Array.from(
      { length: granted },
      (_, lane) => Math.floor(((size - 128 * 1024) / granted) * lane) + 4096,
    )
    const expected: Uint8Array[] = []
    for (const [lane, at] of places.entries())
      expected.push(await (lane === 0 || lane === granted - 1 ? everyCall : oneCall)(lanes, lane, at))
    for (const [lane, at] of places.entries()) {
      const wanted = expected[lane] ?? Buffer.of()
      sameBytes(t, await lanes.read(at, wanted.length, lane), wanted, `lane ${lane} reads what it wrote`)
    }
    const changed = attributesOf(kind, 99)
    t.equal(await first.ask('setAttributes', { attributes: changed }), 0, 'attributes can be set while lanes are up')
    lanes.store(4096, pattern(4096, 64, 50))
    await lanes.persist(4096, 64)
    await leave(t, first, lanes)
    expected[0]?.set(pattern(4096, 64, 50))

    const second = await start()
    const opened = await second.serve('open', 'a.set', shape)
    t.match(opened, { status: 0, method, lanes: granted })
    sameBytes(t, opened.attributes, changed, 'the attributes that were set last')
    const again = await PmdkLanes.connect(t, { grant: opened, size })
    for (const [lane, at] of places.entries()) {
      const wanted = expected[lane] ?? Buffer.of()
      sameBytes(t, await again.read(at, wanted.length, lane), wanted, `range ${lane} has lasted`)
    }
    await leave(t, second, again)
    t.equal(left(), parts, 'the parts stay')
  })
}

const plain = { parts: 1, kind: 'headers', method: 'GPSPM' } as const
const asking = { poolSize: 8 * MiB, lanes: 1 }
const attributes = attributesOf('headers', 1)

t.test('a pool that is there is not created again, and its parts are as they were', async t => {
  const { start, left } = place(t, plain)
  const first = await start()
  const grant = await first.serve('create', 'a.set', { ...asking, attributes })
  await leave(t, first, await PmdkLanes.connect(t, { grant, size: asking.poolSize }))
  const second = await start()
  t.equal(await second.ask('create', { ...asking, attributes }, 'a.set'), 9, 'EXISTS')
  t.equal(await second.channel.ended, 0)
  t.equal(left(), 1)
})

t.test('close with flag 1 takes back a pool that this session created, and no other', async t => {
  const { start, left } = place(t, plain)
  for (const [name, flags, remaining] of [
    ['create', 1, 0],
    ['create', 0, 1],
    ['open', 1, 1],
  ] as const) {
    const initiator = await start()
    const grant = await initiator.serve(name, 'a.set', name === 'create' ? { ...asking, attributes } : asking)
    const lanes = await PmdkLanes.connect(t, { grant, size: asking.poolSize })
    await lanes.end.end()
    t.equal(await initiator.ask('close', { flags }), 0)
    t.equal(await initiator.channel.ended, 0)
    t.equal(left(), remaining, `${name}, then close with flags ${flags}`)
  }
})

t.test('the end of the control channel keeps a created pool whose lanes were up', async t => {
  const { start, left } = place(t, plain)
  const initiator = await start()
  const grant = await initiator.serve('create', 'a.set', { ...asking, attributes })
  const lanes = await PmdkLanes.connect(t, { grant, size: asking.poolSize })
  initiator.channel.input.end()
  t.equal(await initiator.channel.ended, 1)
  await lanes.end.told('down', 0)
  t.equal(left(), 1)
})

t.test('a message that makes no sense ends its lane and not the session', async t => {
  const { start } = place(t, plain)
  const initiator = await start()
  const grant = await initiator.serve('create', 'a.set', { ...asking, lanes: 2, attributes })
  const lanes = await PmdkLanes.connect(t, { grant, size: asking.poolSize })
  // A range that begins behind the pool: PMDK's worker would stop without a word.
  lanes.end.tellBytes('send', 0, new Uint8Array(24).fill(0xff))
  await lanes.end.told('down', 0)
  t.equal(await initiator.ask('setAttributes', { attributes }), 0)
  await leave(t, initiator, lanes)
})

t.test('a mode that PMDK does not know is a flush, whatever else stands in the flags', async t => {
  const { start } = place(t, plain)
  const initiator = await start()
  const grant = await initiator.serve('create', 'a.set', { ...asking, attributes })
  const lanes = await PmdkLanes.connect(t, { grant, size: asking.poolSize })
  for (const flags of [3, 4, 0xffff_fffc, 0xffff_ffff]) await lanes.send(0, flags, 4096, 64)
  await lanes.send(0, 0xffff_fff0 | modes.deep, 4096, 64)
  t.pass('each was answered')
  await leave(t, initiator, lanes)
})
