import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { pageSize } from '../../core/index.js'
import type { Service } from '../../fabric-native/fabric.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { connectOptions, contentOf, type FabricBed, listenOptions, mark, poolSize } from './compliance.js'
import { nativeBed } from './native-bed.js'

const tcp = nativeBed('tcp', 'rpmem', 'GPSPM')

/** The greeting of libfabric's TCP providers: version, type, size of the data that follows (BE), 28 bytes more. */
function greeting(version: number, type: number, dataSize: number): Uint8Array {
  const header = new Uint8Array(32)
  header[0] = version
  header[1] = type
  new DataView(header.buffer).setUint16(2, dataSize)
  return header
}

const connectionRequest = 0

const strangers: Readonly<Record<string, Uint8Array>> = {
  'says nothing': new Uint8Array(0),
  'sends one byte': new Uint8Array(1),
  'speaks HTTP': Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'stops in the middle of the greeting': greeting(3, connectionRequest, 36).subarray(0, 10),
  'promises data and sends none': greeting(3, connectionRequest, 36),
  'promises more data than there can be': greeting(3, connectionRequest, 65_535),
  'shows an empty proof': greeting(3, connectionRequest, 0),
  'sends a kilobyte of 0xff': new Uint8Array(1024).fill(0xff),
}

function callIn(service: Service, bytes: Uint8Array): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(service.port, '127.0.0.1', () => {
      if (bytes.length > 0) socket.write(bytes, () => resolve(socket))
      else resolve(socket)
    })
    socket.on('error', reject)
    socket.once('connect', () => socket.off('error', reject).on('error', () => {}))
  })
}

type Call = (service: Service) => Promise<Socket[]>

/** By a farewell or by a reset. */
const ends = (socket: Socket): Promise<unknown> =>
  socket.closed ? Promise.resolve() : new Promise(resolve => socket.resume().once('close', resolve))

/**
 * Connections of this port that are up, at the end that listened. Columns of /proc/net/tcp: address:port in hex, state, and
 * the tenth: the inode, which a connection has once it was accepted.
 */
function connections(port: number, accepted = false): number {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/self/net/tcp', 'latin1').split('\n').slice(1)
  return rows
    .map(row => row.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(end) && state === '01')
    .filter(columns => !accepted || columns[9] !== '0').length
}

/** Lanes that come after strangers work, and from then on nobody else is connected or can be. */
async function serve(t: Test, before: Call, bed: FabricBed = tcp): Promise<void> {
  const remote = bed.memory(poolSize)
  const local = bed.memory(poolSize)
  const service = await bed.fabric.listen(listenOptions(bed, remote, 2))
  const early = await before(service)
  const lanes = await bed.fabric.connect(connectOptions(bed, service, local))
  await service.connected
  await t.rejects(callIn(service, new Uint8Array(0)), { code: 'ECONNREFUSED' }, 'the port is closed')
  await Promise.all(early.map(ends))
  t.equal(connections(service.port), 2, 'who is not a lane is not connected any more')
  const expected = mark(local, pageSize, 1000)
  for (let round = 0; round < 20; round++) await lanes.persist(pageSize + round * 50, 50, { lane: round % 2 })
  sameBytes(t, contentOf(remote, pageSize, 1000), expected, 'the ranges arrived')
  await lanes.close()
  await service.close()
}

for (const [manner, bytes] of Object.entries(strangers)) {
  t.test(`a stranger who ${manner} disturbs nobody`, async t => {
    await serve(t, async service => [await callIn(service, bytes)])
  })
}

t.test('many strangers at once disturb nobody', async t => {
  await serve(t, service =>
    Promise.all(
      Array.from({ length: 5 }, () => Object.values(strangers))
        .flat()
        .map(bytes => callIn(service, bytes)),
    ),
  )
})

t.test('hundreds of strangers who stop in the middle of the greeting keep no lane out', async t => {
  await serve(t, service =>
    Promise.all(
      Array.from({ length: 500 }, (_, at) => callIn(service, greeting(3, connectionRequest, 36).subarray(0, at % 32))),
    ),
  )
})

t.test('a stranger who stops in the middle of the greeting is given up while the lanes are still awaited', async t => {
  const remote = tcp.memory(poolSize)
  const service = await tcp.fabric.listen(listenOptions(tcp, remote, 1))
  const strangers = await Promise.all([0, 1, 31, 67].map(length => callIn(service, new Uint8Array(length).fill(3))))
  await Promise.all(strangers.map(ends))
  t.equal(connections(service.port), 0)
  await service.close()
})

t.test('a service that is closed before its lanes are there keeps no connection of a stranger', async t => {
  const remote = tcp.memory(poolSize)
  const service = await tcp.fabric.listen(listenOptions(tcp, remote, 2))
  const strangers = await Promise.all([0, 1, 31].map(length => callIn(service, new Uint8Array(length))))
  while (connections(service.port, true) < strangers.length) await setImmediate()
  const closed = t.rejects(service.connected, { code: 'ERR_CLOSED' })
  await service.close()
  await closed
  t.equal(connections(service.port), 0)
  for (const stranger of strangers) stranger.destroy()
})

t.test('a port whose lanes did not come in time is closed', async t => {
  const remote = tcp.memory(poolSize)
  const service = await tcp.fabric.listen({ ...listenOptions(tcp, remote, 1), acceptTimeoutMs: 50 })
  const stranger = await callIn(service, new Uint8Array(1))
  await t.rejects(service.connected, { code: 'ERR_DEADLINE' })
  await ends(stranger)
  await t.rejects(callIn(service, new Uint8Array(0)), { code: 'ECONNREFUSED' })
  await service.close()
})

// What follows a complete header is read by the provider `sockets` whatever we do: a header of its own length holds it up.
for (const dialect of ['rpmem', 'pmdk'] as const) {
  const bed = nativeBed('sockets', dialect, 'GPSPM')
  t.test(`${bed.name}: strangers who stop in the middle of the greeting keep no lane out`, async t => {
    await serve(t, service => Promise.all([0, 1, 8, 63].map(length => callIn(service, new Uint8Array(length)))), bed)
  })
}

t.test('a range outside the registered memory ends its lane and no other', async t => {
  const remote = tcp.memory(poolSize)
  const local = tcp.memory(2 * poolSize)
  const service = await tcp.fabric.listen(listenOptions(tcp, remote, 1))
  const lanes = await tcp.fabric.connect(connectOptions(tcp, service, local))
  await service.connected
  t.throws(() => lanes.persistSync(poolSize - 8, 16), { code: 'ERR_TARGET_LOST', durability: 'unknown' })
  t.equal(service.counters().activeLanes, 0)
  await lanes.close()
  await service.close()
})

t.test('an RMA write outside the registered memory ends the connection', async t => {
  const remote = tcp.memory(poolSize)
  const local = tcp.memory(2 * poolSize)
  const service = await tcp.fabric.listen(listenOptions(tcp, remote, 1))
  const lanes = await tcp.fabric.connect(connectOptions(tcp, service, local))
  await service.connected
  t.throws(() => lanes.persistSync(poolSize, 65_536, { relaxed: true }), { code: 'ERR_TARGET_LOST' })
  t.throws(() => lanes.readSync(poolSize, new Uint8Array(8)), { code: 'ERR_TARGET_LOST' })
  await lanes.close()
  await service.close()
})
