import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isRpmemError, KiB, pageSize } from '../../core/index.js'
import type { Dialect, Lanes, Service } from '../../fabric-native/fabric.js'
import { nativeFabric } from '../../fabric-native/native-fabric.js'
import { laneAnswer, laneEntry, laneMessage } from '../../wire/lane-message.js'
import { downOf } from '../fixture/down-of.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { FabricEnd } from '../pmdk-peer/fabric-end.js'
import { modes, persistAnswer, persistFields, persistMessage } from '../pmdk-peer/lane-bytes.js'
import { connectOptions, contentOf, listenOptions, tokensFor } from './compliance.js'
import { nativeBed } from './native-bed.js'

/** What a peer that got in may send on its lane. Messages and answers are made by hand and carried by a foreign endpoint. */

const poolSize = 64 * KiB
const laneCount = 16

interface Bad {
  readonly name: string
  readonly bytes: Uint8Array
}

function memoryFile(t: Test): string {
  const file = join(temporaryFolder(t, 'rpmem-hostile-lane'), 'memory')
  const fd = openSync(file, 'w')
  ftruncateSync(fd, poolSize)
  closeSync(fd)
  return file
}

const cuts = (what: string, whole: Uint8Array): Bad[] =>
  Array.from({ length: whole.length }, (_, length) => ({
    name: `${length} of ${whole.length} bytes of ${what}`,
    bytes: whole.slice(0, length),
  }))

/** The whole with this number, little-endian, in place of a field. */
function bent(what: string, whole: Uint8Array, at: number, size: number, values: readonly bigint[]): Bad[] {
  return values.map(value => {
    const bytes = whole.slice()
    for (let n = 0, rest = BigInt.asUintN(size * 8, value); n < size; n++, rest >>= 8n)
      bytes[at + n] = Number(rest & 0xffn)
    return { name: `${what} ${value}`, bytes }
  })
}

const data = Uint8Array.from({ length: 24 }, (_, at) => at + 1)
const marks = 255

/** Over sockets, libfabric may break a lane at the moment when another one of the same process goes down. */
const [report] = await nativeFabric.probe(['tcp'], {})
const provider = report?.offer?.fabricName ?? 'tcp'

function badPersists({ raddr }: Service): Bad[] {
  const address = raddr + BigInt(pageSize)
  const flush = persistMessage({ flags: modes.flush, lane: 0, address, size: 24 })
  const inline = persistMessage({ flags: modes.inline, lane: 0, address, size: 24, data })
  const outside = [0n, raddr - 1n, raddr + BigInt(poolSize) - 23n, raddr + BigInt(poolSize), -1n, -24n]
  const { lane, address: place, size } = persistFields
  return [
    ...cuts('a flush', flush),
    ...cuts('an inline message', inline),
    { name: 'an inline message with a byte too many', bytes: new Uint8Array([...inline, 1]) },
    { name: 'more than the buffer takes', bytes: new Uint8Array(16 * KiB).fill(2) },
    ...bent('lane', flush, lane.at, lane.size, [16n, 255n, -1n]),
    ...bent('address', flush, place.at, place.size, outside),
    ...bent('address of inline data', inline, place.at, place.size, outside),
    ...bent('size', flush, size.at, size.size, [BigInt(poolSize), 1n << 32n, 1n << 63n, -1n, -BigInt(pageSize)]),
    ...bent('size of inline data', inline, size.at, size.size, [0n, 23n, 25n, 8193n, 1n << 32n, -1n]),
  ].filter(({ bytes }) => Buffer.compare(bytes, flush) !== 0)
}

/** A message of our own dialect with one entry of inline data. */
function laneBytes(sequence = 1n): Uint8Array {
  const entry = laneEntry.encode({ offset: BigInt(pageSize), length: 24n, flags: 1, reserved: 0 })
  const length = BigInt(laneMessage.size + entry.length + data.length)
  const head = laneMessage.encode({ kind: 1, flags: 0, entries: 1, sequence, length, reserved: 0n })
  return new Uint8Array(Buffer.concat([head, entry, data]))
}

function badMessages(): Bad[] {
  const whole = laneBytes()
  const { kind = 0, entries = 0, sequence = 0, length = 0 } = laneMessage.offsets
  const entryAt = laneMessage.size
  const { offset = 0, length: ranged = 0 } = laneEntry.offsets
  return [
    ...cuts('a message', whole),
    { name: 'a word too many', bytes: new Uint8Array([...whole, 0, 0, 0, 0, 0, 0, 0, 0]) },
    { name: 'more than the buffer takes', bytes: new Uint8Array(16 * KiB).fill(1) },
    ...bent('kind', whole, kind, 2, [0n, 2n, 3n, -1n]),
    ...bent('entries', whole, entries, 4, [0n, 2n, 3n, 1n << 31n, -1n]),
    ...bent('sequence', whole, sequence, 8, [0n, 2n, 1n << 32n, -1n]),
    ...bent('length', whole, length, 8, [0n, 32n, 79n, 81n, 1n << 32n, -1n]),
    ...bent('offset of an entry', whole, entryAt + offset, 8, [
      BigInt(poolSize),
      BigInt(poolSize) - 23n,
      1n << 63n,
      -1n,
    ]),
    ...bent('length of an entry', whole, entryAt + ranged, 8, [0n, 1n, 16n, 25n, 1n << 32n, -1n]),
  ]
}

const greeting = (lane: number, token: Uint8Array): Uint8Array => new Uint8Array([lane, 0, 0, 0, ...token])

/** The message that a lane is still served by, and whether this is its answer. */
function soundMessage(dialect: Dialect, lane: number, { raddr }: Service): Uint8Array {
  if (dialect === 'rpmem') return laneBytes()
  return persistMessage({ flags: modes.inline, lane, address: raddr + BigInt(pageSize), size: 24, data })
}

for (const dialect of ['pmdk', 'rpmem'] as const) {
  const bed = nativeBed('tcp', dialect, 'GPSPM')
  t.test(`${dialect}: whatever a message is, it ends its own lane and stores nothing`, async t => {
    const file = memoryFile(t)
    for (let first = 0, total = 1; first < total; first += laneCount - 1) {
      const remote = bed.memory(poolSize)
      remote.view(0, poolSize).fill(marks)
      const service = await bed.fabric.listen(listenOptions(bed, remote, laneCount))
      const all = dialect === 'pmdk' ? badPersists(service) : badMessages()
      total = all.length
      const greetings =
        dialect === 'rpmem' ? tokensFor(laneCount).map((token, lane) => greeting(lane, token)) : undefined
      const enter = async (from: number, lanes: number): Promise<FabricEnd> => {
        const shape = { lanes, file, size: poolSize, messageRoom: 16 * KiB, provider }
        const own = greetings ? { greetings: greetings.slice(from, from + lanes) } : {}
        const end = FabricEnd.initiator(t, { ...shape, ...own }, service.port)
        await end.told('ready')
        return end
      }
      const peer = await enter(0, laneCount - 1)
      const neighbour = await enter(laneCount - 1, 1)
      await service.connected
      const chosen = all.slice(first, first + laneCount - 1)
      for (const [lane, { name, bytes }] of chosen.entries()) {
        peer.tellBytes('send', lane, bytes)
        await peer.told('down', lane)
        t.pass(name)
      }
      const untouched = contentOf(remote, 0, poolSize).every(byte => byte === marks)
      t.ok(untouched, 'nothing was stored')
      const last = laneCount - 1
      neighbour.tellBytes('send', 0, soundMessage(dialect, last, service))
      await neighbour.told('answer', 0)
      t.strictSame(contentOf(remote, pageSize, 24), data, 'another lane is served')
      t.equal(service.counters().messages, 1, 'and only that message counts')
      await peer.end()
      await neighbour.end()
      await service.close()
    }
  })
}

const tooLong = 'more than the buffer takes'

interface BadAnswer extends Bad {
  /** Nobody has asked for anything yet. */
  readonly early?: boolean
}

const good = {
  pmdk: persistAnswer(0),
  rpmem: laneAnswer.encode({ ...{ kind: 2, flags: 0, status: 0 }, sequence: 1n, errno: 0, reserved: 0 }),
}

function badAnswers(dialect: Dialect): BadAnswer[] {
  const whole = good[dialect]
  const { kind = 0, sequence = 0 } = laneAnswer.offsets
  const ours = [
    ...bent('kind', whole, kind, 2, [0n, 1n, 3n, -1n]),
    ...bent('sequence', whole, sequence, 8, [0n, 2n, 1n << 32n, -1n]),
  ]
  return [
    ...cuts('an answer', whole),
    { name: 'a byte too many', bytes: new Uint8Array([...whole, 0]) },
    { name: tooLong, bytes: new Uint8Array(100).fill(1) },
    { name: 'an answer before any message', bytes: whole, early: true },
    ...(dialect === 'rpmem' ? ours : []),
  ]
}

for (const dialect of ['pmdk', 'rpmem'] as const) {
  const bed = nativeBed('tcp', dialect, 'GPSPM')
  t.test(`${dialect}: whatever an answer is, the target is lost and nothing counts as durable`, async t => {
    const answers = badAnswers(dialect)
    // One more, which shows that such a target can be served by.
    const lanes = answers.length + 1
    const shape = { lanes, file: memoryFile(t), size: poolSize, messageRoom: 16 * KiB, provider }
    const { end: peer, port, rkey, raddr } = await FabricEnd.target(t, shape)
    const script = [...answers.map(({ bytes }) => bytes), good[dialect]]
    peer.onMessage(lane => peer.tellBytes('say', lane, script[lane] ?? new Uint8Array()))
    const service = { port, rkey, raddr, lanes: 1 } as Service
    const connect = async (): Promise<Lanes> => bed.fabric.connect(connectOptions(bed, service, bed.memory(poolSize)))
    for (const [lane, { name, bytes, early = false }] of answers.entries()) {
      const ours = await connect()
      if (early) {
        const down = downOf(ours)
        peer.tellBytes('say', lane, bytes)
        t.match(await down, { code: 'ERR_TARGET_LOST' }, name)
      } else {
        // What does not fit the buffer the provider may drop, and then it is silence.
        const code = name === tooLong ? /ERR_TARGET_LOST|ERR_DEADLINE/ : 'ERR_TARGET_LOST'
        await t.rejects(ours.persist(pageSize, 64), { code, durability: 'unknown' }, name)
      }
      t.throws(() => ours.persistSync(pageSize, 64), { name: 'RpmemError' }, `${name}, and again`)
      await ours.close()
    }
    const ours = await connect()
    await ours.persist(pageSize, 64)
    await ours.close()
    await peer.end()
  })
}

t.test('rpmem: a target that says its storage has failed is believed, whatever errno it names', async t => {
  const bed = nativeBed('tcp', 'rpmem', 'GPSPM')
  const errnos = [0, 5, 28, 4096, 2 ** 31, 2 ** 32 - 1]
  const shape = { lanes: errnos.length, file: memoryFile(t), size: poolSize, messageRoom: 16 * KiB, provider }
  const { end: peer, port, rkey, raddr } = await FabricEnd.target(t, shape)
  const failed = (errno: number) =>
    laneAnswer.encode({ ...{ kind: 2, flags: 0, status: 1 }, sequence: 1n, errno, reserved: 0 })
  peer.onMessage(lane => peer.tellBytes('say', lane, failed(errnos[lane] ?? 0)))
  for (const errno of errnos) {
    const service = { port, rkey, raddr, lanes: 1 } as Service
    const lanes = await bed.fabric.connect(connectOptions(bed, service, bed.memory(poolSize)))
    const error: unknown = await lanes.persist(pageSize, 64).catch(reason => reason)
    t.ok(isRpmemError(error), `errno ${errno}`)
    await lanes.close()
  }
  await peer.end()
})
