import t from 'tap'
import { MiB, pageSize } from '../../core/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { connectPair, contentOf, mark } from './compliance.js'
import { nativeBed } from './native-bed.js'

const bed = nativeBed('tcp', 'rpmem', 'GPSPM')

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

t.test('a call that completes what others await does not delay the next one that is awaited', async t => {
  const { lanes } = await connectPair(t, bed, 1)
  const took: number[] = []
  for (let round = 0; round < 15; round++) {
    const awaited = lanes.persist(pageSize, 64)
    lanes.persistSync(pageSize, MiB)
    await awaited
    const start = performance.now()
    await lanes.persist(pageSize, 64)
    took.push(performance.now() - start)
  }
  t.ok(median(took) < 100, `${median(took)} ms`)
})

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

t.test('a persist over sockets leaves the processor to the threads of the provider', async t => {
  const { lanes } = await connectPair(t, nativeBed('sockets', 'rpmem', 'GPSPM'), 1)
  const took: number[] = []
  for (let round = 0; round < 50; round++) {
    const start = performance.now()
    lanes.persistSync(pageSize, 64, { deadlineMs: 60_000 })
    took.push(performance.now() - start)
  }
  // A yield that hands over a whole time slice takes milliseconds, of which there were many.
  t.ok(median(took) < 8, `${median(took)} ms`)
})
