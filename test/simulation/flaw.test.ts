import t from 'tap'
import { DirtyMap } from '../../pool/dirty-map.js'
import { PoolLineage } from '../../pool/pool-lineage.js'
import { firstViolation } from './seeds.js'
import { simulate } from './world.js'

/** Wrong systems, each of which the checkers have to catch within so many seeds. */
const most = 1000

t.test('a target that answers before its disk has the bytes is caught', async t => {
  const violation = await firstViolation(most, { flaw: 'answers before it is durable' })
  t.match(violation, /its disk has|called synced, has write/)
})

t.test('a target that lets a replaced writer write is caught', async t => {
  const violation = await firstViolation(most, { flaw: 'forgets the fence' })
  t.match(violation, /was overwritten after an operator chose it|not in step/)
})

t.test('a map that clears a page before it was verified is caught', async t => {
  const { ranges } = DirtyMap.prototype
  t.teardown(() => {
    DirtyMap.prototype.ranges = ranges
  })
  DirtyMap.prototype.ranges = function* (atOnce) {
    for (const range of ranges.call(this, atOnce)) {
      this.clear(range.offset, range.length)
      yield range
    }
  }
  t.match(await firstViolation(most), /called synced, has write|differs in the end/)
})

t.test('a map that forgets what a replica has missed is caught', async t => {
  const { mark } = DirtyMap.prototype
  t.teardown(() => {
    DirtyMap.prototype.mark = mark
  })
  let marks = 0
  DirtyMap.prototype.mark = function (offset, length) {
    if (++marks % 3 !== 0) mark.call(this, offset, length)
  }
  t.match(await firstViolation(most), /called synced, has write|differs in the end|was named/)
})

t.test('a pool that trusts every copy after a crash is caught', async t => {
  const stoppedBadly = Object.getOwnPropertyDescriptor(PoolLineage.prototype, 'stoppedBadly')
  if (!stoppedBadly) throw new Error('a lineage tells how its last writer ended')
  t.teardown(() => Object.defineProperty(PoolLineage.prototype, 'stoppedBadly', stoppedBadly))
  Object.defineProperty(PoolLineage.prototype, 'stoppedBadly', { ...stoppedBadly, get: () => false })
  t.match(await firstViolation(most), /is called synced and differs/)
})

t.test('a seed gives the same run again', async t => {
  const runs = [[], []].map(lines => ({ lines: lines as string[] }))
  for (const { lines } of runs) await simulate(42, { trace: line => lines.push(line) })
  t.strictSame(runs[0], runs[1])
  t.ok((runs[0]?.lines.length ?? 0) > 10)
})
