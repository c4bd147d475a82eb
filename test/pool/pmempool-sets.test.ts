import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import t, { type Test } from 'tap'
import { compareReplicas, restore, transform } from '../../pool/index.js'
import { scratch, writeSet } from './scratch.js'

/** Throws with what the tool says if it is not content. */
const pmempool = (...words: string[]): string => execFileSync('pmempool', words, { encoding: 'utf8', timeout: 60_000 })

/** A pool of libpmemobj, and three pool sets that could describe it. */
function bed(t: Test) {
  const directory = scratch(t)
  const replicas = [
    [`9M ${directory}/a1`, `9M ${directory}/a2`],
    ['REPLICA', `18M ${directory}/b`],
    ['REPLICA', `19M ${directory}/c`],
  ]
  const setOf = (name: string, ...indices: number[]) =>
    writeSet(directory, name, ...indices.flatMap(index => replicas[index] ?? []))
  const sets = { one: setOf('one.set', 0), two: setOf('two.set', 0, 1), three: setOf('three.set', 0, 1, 2) }
  pmempool('create', 'obj', '--layout=notes', sets.one)
  return { directory, ...sets }
}

async function equal(t: Test, set: string): Promise<void> {
  const found = await compareReplicas(set)
  t.ok(found.every(({ found: one }) => one?.differing.length === 0))
}

t.test('pmempool takes a set that we have transformed, and we take one that it has', async t => {
  const { one, two, three } = bed(t)
  await transform(one, two)
  t.match(pmempool('check', '-v', two), /consistent\n$/)
  pmempool('transform', two, three)
  await equal(t, three)
  await transform(three, two)
  t.match(pmempool('check', '-v', two), /consistent\n$/)
})

t.test('pmempool finds whole what we have restored, the first replica too', async t => {
  const { directory, one, two } = bed(t)
  await transform(one, two)
  rmSync(`${directory}/a2`)
  await restore(two, { force: true })
  t.match(pmempool('check', '-v', two), /consistent\n$/)
  t.match(pmempool('sync', '-d', '-v', two), /synchronized\n$/)
  await equal(t, two)
})
