import fc from 'fast-check'
import t from 'tap'
import { descend, type Generation, type Lineage, maxAncestors, relate } from '../../core/generation.js'

let made = 0
const begun = (): Omit<Generation, 'number'> => ({
  id: (++made).toString(16).padStart(32, '0'),
  since: '2026-01-01T00:00:00Z',
  writer: 'node1 42',
  why: 'replica lost',
})
const origin = (pool = 'a'.repeat(32)): Lineage => ({ pool, current: { ...begun(), number: 1 }, ancestors: [] })

t.test('a copy that stopped earlier is behind, and sees the other ahead', t => {
  const old = origin()
  const young = descend(descend(old, begun()), begun())
  t.strictSame(relate(young, old), { kind: 'behind', common: old.current })
  t.strictSame(relate(old, young), { kind: 'ahead', common: old.current })
  t.strictSame(relate(young, young), { kind: 'equal' })
  t.equal(young.current.number, 3, 'the fencing token grows with each generation')
  t.end()
})

t.test('copies that both went on have diverged, at the youngest generation that they share', t => {
  const common = descend(origin(), begun())
  const ours = descend(common, begun())
  const theirs = descend(descend(common, begun()), begun())
  t.strictSame(relate(ours, theirs), { kind: 'diverged', common: common.current })
  t.strictSame(relate(theirs, ours), { kind: 'diverged', common: common.current })
  t.end()
})

t.test('a copy of another pool is a stranger whatever its generations are', t => {
  const ours = origin()
  t.strictSame(relate(ours, { ...ours, pool: 'b'.repeat(32) }), { kind: 'stranger' })
  t.end()
})

t.test('ancestors are forgotten one day, and what parted before counts as diverged', t => {
  const old = origin()
  let young = old
  for (let step = 0; step <= maxAncestors; step++) young = descend(young, begun())
  t.equal(young.ancestors.length, maxAncestors)
  t.strictSame(relate(young, old), { kind: 'diverged', common: undefined })
  t.end()
})

t.test('two copies see each other alike, whatever they have been through (seed 4711)', t => {
  const opposite = { equal: 'equal', behind: 'ahead', ahead: 'behind', diverged: 'diverged', stranger: 'stranger' }
  const steps = fc.nat(5)
  fc.assert(
    fc.property(steps, steps, steps, (shared, mine, yours) => {
      let common = origin()
      for (let step = 0; step < shared; step++) common = descend(common, begun())
      let ours = common
      for (let step = 0; step < mine; step++) ours = descend(ours, begun())
      let theirs = common
      for (let step = 0; step < yours; step++) theirs = descend(theirs, begun())
      const there = relate(ours, theirs).kind
      const expected = mine === 0 ? (yours === 0 ? 'equal' : 'ahead') : yours === 0 ? 'behind' : 'diverged'
      return there === expected && relate(theirs, ours).kind === opposite[there]
    }),
    { seed: 4711 },
  )
  t.pass('100 pairs of copies')
  t.end()
})
