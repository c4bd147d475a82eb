import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { hasCode, MiB, type PoolAttributes, type Random, seededRandom, zeroAttributes } from '../../core/index.js'
import {
  createReplicaParts,
  decodeHeader,
  nativeStorage,
  openReplicaParts,
  type PartPlace,
  type ReplicaParts,
  removePart,
  removeReplicaParts,
} from '../../pool/index.js'
import { scratch } from './scratch.js'

/** Several at the same parts at once. Locks belong to descriptors, so that one process is as good as several. */

const seed = Number(process.env.RPMEM_TEST_SEED ?? 1)
const rounds = 60
const options = { singleHeader: false, noHeaders: false }
const attributes: PoolAttributes = {
  ...zeroAttributes(),
  signature: Buffer.from('TOGETHER'),
  major: 1,
  poolsetUuid: Buffer.alloc(16, 1),
  uuid: Buffer.alloc(16, 2),
}

interface Place {
  readonly directory: string
  readonly parts: readonly PartPlace[]
}

function place(t: Test, staged: boolean): Place {
  const directory = scratch(t)
  const names = staged ? ['000000.pmem', '000001.pmem'] : ['one', 'two']
  return { directory, parts: names.map(name => ({ path: join(directory, name), size: 2 * MiB, staged })) }
}

/** Up to `most` turns of the event loop later. */
async function later(random: Random, most: number): Promise<void> {
  for (let left = (random.bytes(1)[0] ?? 0) % (most + 1); left > 0; left--) await turn()
}

/** Storage that takes its time, so that others come between. */
const hesitant = (random: Random) => ({
  ...nativeStorage,
  allocate: async (fd: number, length: number) => {
    await later(random, 8)
    await nativeStorage.allocate(fd, length)
  },
})

async function outcomes<T>(random: Random, calls: readonly (() => Promise<T>)[]) {
  const settled = await Promise.allSettled(calls.map(call => later(random, 4).then(call)))
  return {
    won: settled.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : [])),
    lost: settled.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason as unknown] : [])),
  }
}

function isWhole(t: Test, { directory, parts }: Place, name: string): void {
  t.strictSame(readdirSync(directory).sort(), parts.map(({ path }) => path.slice(directory.length + 1)).sort(), name)
  for (const { path, size } of parts) {
    t.equal(statSync(path).size, size)
    t.equal(Buffer.from(decodeHeader(readFileSync(path).subarray(0, 4096)).signature).toString(), 'TOGETHER')
  }
}

for (const staged of [false, true]) {
  t.test(`${staged ? 'a part of a directory' : 'a part'} has a name only once it is locked`, async t => {
    const at = place(t, staged)
    const named: string[][] = []
    const lock = (fd: number): boolean => {
      named.push(readdirSync(at.directory).filter(name => !name.startsWith('.rpmem-')))
      return nativeStorage.lock(fd)
    }
    const made = await createReplicaParts({ parts: at.parts, options, attributes, storage: { ...nativeStorage, lock } })
    t.strictSame(named, staged ? [[], ['000000.pmem.new']] : [[], ['one']])
    await made.close()
    isWhole(t, at, 'nothing else is left')
  })

  const kind = staged ? 'parts of a directory' : 'parts'
  t.test(`of three that create the same ${kind} at once, exactly one does, seed ${seed}`, async t => {
    const random = seededRandom(seed)
    for (let round = 0; round < rounds; round++) {
      const at = place(t, staged)
      const create = () =>
        createReplicaParts({ parts: at.parts, options, attributes, random, storage: hesitant(random) })
      const { won, lost } = await outcomes(random, [create, create, create])
      t.equal(won.length, 1, `round ${round}: ${lost.map(String)}`)
      for (const error of lost) t.ok(hasCode(error, 'ERR_POOL_BUSY'), `round ${round}: ${error}`)
      isWhole(t, at, `round ${round}: nothing of the others is left`)
      await won[0]?.close()
      await (await openReplicaParts({ parts: at.parts, options })).close()
      if (t.counts.fail > 0) break
    }
  })
}

t.test(`who opens while another creates disturbs nobody, seed ${seed}`, async t => {
  const random = seededRandom(seed)
  for (let round = 0; round < rounds; round++) {
    const at = place(t, false)
    const create = () => createReplicaParts({ parts: at.parts, options, attributes, random, storage: hesitant(random) })
    const open = () => openReplicaParts({ parts: at.parts, options })
    const { won, lost } = await outcomes(random, [create, open, open])
    t.equal(won.length, 1, `round ${round}: ${lost.map(String)}`)
    for (const error of lost) t.ok(hasCode(error, 'ERR_POOL_BUSY', 'ERR_PART_MISSING'), `round ${round}: ${error}`)
    isWhole(t, at, `round ${round}`)
    await won[0]?.close()
    if (t.counts.fail > 0) break
  }
})

t.test(`of three that open at once, exactly one does, seed ${seed}`, async t => {
  const random = seededRandom(seed)
  const at = place(t, false)
  await (await createReplicaParts({ parts: at.parts, options, attributes })).close()
  for (let round = 0; round < rounds; round++) {
    const open = () => openReplicaParts({ parts: at.parts, options })
    const { won, lost } = await outcomes(random, [open, open, open])
    t.equal(won.length, 1, `round ${round}: ${lost.map(String)}`)
    for (const error of lost) t.ok(hasCode(error, 'ERR_POOL_BUSY'), `round ${round}: ${error}`)
    await won[0]?.close()
    if (t.counts.fail > 0) break
  }
  isWhole(t, at, 'the pool is as it was')
})

t.test(`a pool is opened or removed, never both, seed ${seed}`, async t => {
  const random = seededRandom(seed)
  for (let round = 0; round < rounds; round++) {
    const at = place(t, false)
    await (await createReplicaParts({ parts: at.parts, options, attributes })).close()
    const calls: (() => Promise<ReplicaParts | undefined>)[] = [
      () => openReplicaParts({ parts: at.parts, options }),
      () => removeReplicaParts({ replicas: [at.parts], options }).then(() => undefined),
    ]
    const { won, lost } = await outcomes(random, calls)
    t.equal(won.length, 1, `round ${round}: ${lost.map(String)}`)
    for (const error of lost) t.ok(hasCode(error, 'ERR_POOL_BUSY', 'ERR_PART_MISSING'), `round ${round}: ${error}`)
    if (won[0]) isWhole(t, at, `round ${round}: opened`)
    else t.strictSame(readdirSync(at.directory), [], `round ${round}: removed`)
    await won[0]?.close()
    if (t.counts.fail > 0) break
  }
})

t.test(`a part that is created is never taken away by a forced removal, seed ${seed}`, async t => {
  const random = seededRandom(seed)
  for (let round = 0; round < rounds; round++) {
    const at = place(t, false)
    const [first = { path: '', size: 0 }] = at.parts
    const calls: (() => Promise<ReplicaParts | undefined>)[] = [
      () => createReplicaParts({ parts: at.parts, options, attributes, random, storage: hesitant(random) }),
      () => removePart(first.path).then(() => undefined),
    ]
    const { won, lost } = await outcomes(random, calls)
    t.ok(won[0], `round ${round}: ${lost.map(String)}`)
    for (const error of lost) t.ok(hasCode(error, 'ERR_POOL_BUSY', 'ERR_PART_MISSING'), `round ${round}: ${error}`)
    isWhole(t, at, `round ${round}`)
    await won[0]?.close()
    if (t.counts.fail > 0) break
  }
})

t.test('what a creation that was cut short has left in a directory is made anew', async t => {
  const at = place(t, true)
  mkdirSync(at.directory, { recursive: true })
  const [first = { path: '', size: 0 }] = at.parts
  const left = `${first.path}.new`
  await (await createReplicaParts({ parts: [{ path: left, size: 2 * MiB }], options, attributes })).close()
  t.ok(existsSync(left))
  const made = await createReplicaParts({ parts: at.parts, options, attributes })
  isWhole(t, at, 'the rest is gone')
  await made.close()
})
