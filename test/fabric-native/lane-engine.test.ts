import t from 'tap'
import { MiB, pageSize } from '../../core/index.js'
import { loadBinding } from '../../fabric-native/binding.js'
import { laneStatus } from '../../fabric-native/fabric-binding.js'
import type { NativeMemory } from '../../fabric-native/native-memory.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { connectOptions, connectPair, contentOf, listenOptions, mark, poolSize } from './compliance.js'
import { nativeBed } from './native-bed.js'
import { connectProcess, stop } from './service-process.js'

const bed = nativeBed('tcp', 'rpmem', 'GPSPM')

t.test('a target is not lost because many ranges are flushed before they are drained', async t => {
  const { lanes, local, remote } = await connectPair(t, bed, 1)
  const expected = mark(local, pageSize, 65_536)
  const start = performance.now()
  for (let round = 0; performance.now() < start + 3500; round++) {
    lanes.flush(pageSize, 65_536)
    while (performance.now() < start + round);
  }
  await new Promise(setImmediate)
  t.equal(lanes.down, undefined)
  lanes.drainSync({ deadlineMs: 60_000 })
  sameBytes(t, contentOf(remote, pageSize, 65_536), expected, 'the range arrived')
})

t.test('a deep flush is not merged with the one before it', async t => {
  const { lanes, service } = await connectPair(t, nativeBed('sockets', 'pmdk', 'GPSPM'), 1)
  lanes.flush(pageSize, 64)
  lanes.flush(pageSize + 64, 64, { deep: true })
  lanes.drainSync({ deadlineMs: 60_000 })
  t.equal(service.counters().messages, 2)
})

t.test('a target that goes on answering is not lost, however long the queue', async t => {
  const { target, lanes } = await connectProcess(t, 'tcp')
  const deadlineMs = 700
  const pending = Array.from({ length: 60 }, () => lanes.persist(0, poolSize, { deadlineMs }))
  const all = Promise.all(pending)
  // Silent for longer than the deadline altogether, and never at once.
  for (let pause = 0; pause < 10; pause++) {
    await stop(target)
    await new Promise(resolve => setTimeout(resolve, 100))
    target.kill('SIGCONT')
    await Promise.race([pending[5 * pause], all])
  }
  await all
  t.equal(lanes.down, undefined)
})

t.test('a read of any length comes in pieces', async t => {
  const size = 20 * MiB
  const { lanes, remote } = await connectPair(t, bed, 1, size)
  const expected = mark(remote, 0, size, 5)
  const seen = new Uint8Array(size)
  await lanes.read(0, seen, { deadlineMs: 30_000 })
  sameBytes(t, seen, expected, 'the pool')
})

t.test('what was started is carried on while the lanes of another target are waited for', async t => {
  const first = await connectPair(t, bed, 1)
  const second = await connectPair(t, bed, 1)
  const tickets = [first.lanes.start(0, poolSize), second.lanes.start(0, poolSize)]
  // Nobody has redeemed the ticket, and nobody does before the bytes are there.
  while (second.service.counters().bytes < poolSize) await new Promise(setImmediate)
  first.lanes.finishSync(tickets[0] ?? 0)
  second.lanes.finishSync(tickets[1] ?? 0)
  t.equal(second.service.counters().bytes, poolSize)
  await Promise.all([first, second].map(({ lanes }) => lanes.persist(0, 64)))
})

t.test('the addon reads into bytes and into nothing else', async t => {
  const remote = bed.memory(poolSize)
  const service = await bed.fabric.listen(listenOptions(bed, remote, 1))
  const { provider, address, port, size, inlineSize, rkey, raddr, tokens = [] } = connectOptions(bed, service, remote)
  const memory = (remote as NativeMemory).handle
  const lanes = await loadBinding().connectLanes(
    {
      ...{ provider, address, port, memory, size, lanes: 1, inlineSize, rkey, raddr, tokens },
      ...{ pmdk: false, apm: false, connectTimeoutMs: 10_000, workQueueSize: 50, onEvent: () => {} },
    },
    new Int32Array(16),
  )
  for (const wrong of [undefined, null, 7, 'bytes', {}, new Float32Array(4), new DataView(new ArrayBuffer(8))])
    t.equal(lanes.readSync(0, 0, wrong as Uint8Array, 1000), laneStatus.wrongArgument)
  t.equal(lanes.readSync(0, 0, new Uint8Array(8), 1000), laneStatus.done)
  t.equal(lanes.readSync(0, 0, new Uint8Array(0), 1000), laneStatus.done)
  t.equal(lanes.read(0, 0, 8 * MiB + 1, 1000), laneStatus.wrongArgument)
  await lanes.close()
  await service.close()
})
