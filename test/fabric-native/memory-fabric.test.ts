import t from 'tap'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import { MemoryFabric } from '../../fabric-native/memory-fabric.js'
import { MemoryNetwork } from '../../fabric-native/memory-network.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { connectPair, contentOf, type FabricBed, fabricCompliance, mark } from './compliance.js'

const bedOn = (network: MemoryNetwork): FabricBed => ({
  name: 'memory',
  fabric: new MemoryFabric(network),
  provider: 'tcp',
  dialect: 'rpmem',
  method: 'GPSPM',
  maxLanes: 16,
  memory: size => new BufferMemory(size),
})

fabricCompliance(t, bedOn(new MemoryNetwork()))

t.test('a stopped service lets no call outlive its deadline', async t => {
  const network = new MemoryNetwork()
  const { lanes, service } = await connectPair(t, bedOn(network))
  network.stop(service.port)
  const pending = t.rejects(lanes.persist(4096, 8, { deadlineMs: 20 }), { code: 'ERR_DEADLINE', durability: 'unknown' })
  await pending
  t.throws(() => lanes.persistSync(4096, 8), { code: 'ERR_DEADLINE' })
})

t.test('a cut connection fails what is on its way', async t => {
  const network = new MemoryNetwork({ delayMs: 5 })
  const { lanes, service, remote, local } = await connectPair(t, bedOn(network))
  mark(local, 4096, 64)
  const pending = t.rejects(lanes.persist(4096, 64), { code: 'ERR_TARGET_LOST', durability: 'unknown' })
  network.cut(service.port)
  await pending
  sameBytes(t, contentOf(remote, 4096, 64), new Uint8Array(64), 'the range arrived')
})
