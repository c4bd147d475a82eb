import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { pageSize } from '../../core/index.js'
import type { Service } from '../../fabric-native/fabric.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { connectOptions, contentOf, listenOptions, mark, poolSize } from './compliance.js'
import { nativeBed } from './native-bed.js'

const bed = nativeBed('tcp', 'rpmem', 'GPSPM')

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

async function serve(t: Test, before: (service: Service) => Promise<Socket[]>): Promise<void> {
  const remote = bed.memory(poolSize)
  const local = bed.memory(poolSize)
  const service = await bed.fabric.listen(listenOptions(bed, remote, 2))
  const early = await before(service)
  const lanes = await bed.fabric.connect(connectOptions(bed, service, local))
  await service.connected
  const late = await before(service)
  const expected = mark(local, pageSize, 1000)
  for (let round = 0; round < 20; round++) await lanes.persist(pageSize + round * 50, 50)
  sameBytes(t, contentOf(remote, pageSize, 1000), expected, 'the ranges arrived')
  await lanes.close()
  await service.close()
  for (const socket of [...early, ...late]) socket.destroy()
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

t.test('a range outside the registered memory ends its lane and no other', async t => {
  const remote = bed.memory(poolSize)
  const local = bed.memory(2 * poolSize)
  const service = await bed.fabric.listen(listenOptions(bed, remote, 1))
  const lanes = await bed.fabric.connect(connectOptions(bed, service, local))
  await service.connected
  t.throws(() => lanes.persistSync(poolSize - 8, 16), { code: 'ERR_TARGET_LOST', durability: 'unknown' })
  t.equal(service.counters().activeLanes, 0)
  await lanes.close()
  await service.close()
})

t.test('an RMA write outside the registered memory ends the connection', async t => {
  const remote = bed.memory(poolSize)
  const local = bed.memory(2 * poolSize)
  const service = await bed.fabric.listen(listenOptions(bed, remote, 1))
  const lanes = await bed.fabric.connect(connectOptions(bed, service, local))
  await service.connected
  t.throws(() => lanes.persistSync(poolSize, 65_536, { relaxed: true }), { code: 'ERR_TARGET_LOST' })
  t.throws(() => lanes.readSync(poolSize, new Uint8Array(8)), { code: 'ERR_TARGET_LOST' })
  await lanes.close()
  await service.close()
})
