import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { hasCode } from '../../core/index.js'
import { Pool, transform } from '../../pool/index.js'
import { scratch, writeSet } from './scratch.js'

/** The shapes that a pool of 6 MiB and some can take, by the parts of its replicas. */
async function bed(t: Test, option: string | undefined, ...replicas: string[][]) {
  const directory = scratch(t)
  const setOf = (name: string, shape: readonly (readonly string[])[], ...options: string[]) => {
    const lines = shape.flatMap((parts, index) => [
      ...(index > 0 ? ['REPLICA'] : []),
      ...parts.map(part => part.replace('/', `${directory}/`)),
    ])
    return writeSet(directory, name, ...(option ? [option] : []), ...options, ...lines)
  }
  const set = setOf('old.set', replicas)
  const pool = await Pool.create(set)
  for (let at = 0; at < pool.size - 8; at += 99_991) pool.memsetPersistSync(at, 1 + (at % 250), 8)
  const bytes = Buffer.from(pool.view(0, pool.size))
  await pool.close()
  return { directory, set, bytes, setOf }
}

/** Every file with its content. */
const snapshot = (directory: string): string[] =>
  readdirSync(directory)
    .sort()
    .map(name => `${name} ${readFileSync(join(directory, name)).toString('base64')}`)

const A = ['3M /a1', '4M /a2']
const B = ['3M /b1', '4M /b2']
const C = ['3M /c1', '4M /c2']

const changes: [string, string[][], string[][]][] = [
  ['add a replica', [A], [A, B]],
  ['add two', [A], [A, B, C]],
  ['remove a replica', [A, B], [A]],
  ['remove the master', [A, B], [B]],
  ['replace a replica', [A, B], [A, C]],
  ['replace the master', [A, B], [C, B]],
  ['replace all', [A], [B]],
  ['reorder', [A, B, C], [C, A, B]],
  ['all at once', [A, B], [C, A]],
]

for (const option of [undefined, 'OPTION NOHDRS', 'OPTION SINGLEHDR']) {
  t.test(`a pool takes another shape and keeps its bytes (${option ?? 'headers'})`, async t => {
    for (const [what, before, after] of changes) {
      const { directory, set, bytes, setOf } = await bed(t, option, ...before)
      const next = setOf('new.set', after)
      await transform(set, next)
      const pool = await Pool.open(next)
      t.ok(Buffer.from(pool.view(0, pool.size)).equals(bytes), what)
      const found = await pool.verify()
      t.ok(found.every(({ differing }) => differing.length === 0) && found.length === after.length - 1, what)
      await pool.close()
      const parts = readdirSync(directory).filter(name => /^[abc]\d$/.test(name))
      t.strictSame(
        parts.sort(),
        after
          .flat()
          .map(part => part.replace(/.*\//, ''))
          .sort(),
        `${what}: no part more or less`,
      )
    }
  })
}

t.test('a dry run never lies: it tells what the act does, in order, and changes nothing', async t => {
  for (const [what, before, after] of changes) {
    const { directory, set, setOf } = await bed(t, undefined, ...before)
    const next = setOf('new.set', after)
    const untouched = snapshot(directory)
    const told: string[] = []
    const announced = await transform(set, next, { dryRun: true, onStep: text => told.push(text) })
    t.strictSame(snapshot(directory), untouched, `${what}: nothing has changed`)
    t.strictSame(told, announced)
    const done: string[] = []
    await transform(set, next, { onStep: text => done.push(text) })
    t.strictSame(done, announced, what)
  }
})

t.test('what the act refuses, the dry run refuses with the same words', async t => {
  const wide = ['9M /w1']
  const cases: [string, string, (bed: Awaited<ReturnType<typeof bedOf>>) => string][] = [
    ['another size', 'ERR_POOLSET_UNSUITABLE', ({ setOf }) => setOf('new.set', [wide])],
    ['other options', 'ERR_POOLSET_UNSUITABLE', ({ setOf }) => setOf('new.set', [A, B], 'OPTION SINGLEHDR')],
    [
      'the same files in another shape',
      'ERR_POOLSET_UNSUITABLE',
      ({ setOf }) => setOf('new.set', [['3M /a1', '4M /x']]),
    ],
    ['a replica twice', 'ERR_POOLSET_UNSUITABLE', ({ setOf }) => setOf('new.set', [A, B, B])],
    [
      'a file in the way',
      'ERR_PART_EXISTS',
      ({ directory, setOf }) => {
        writeFileSync(join(directory, 'c2'), 'mine')
        return setOf('new.set', [A, C])
      },
    ],
    ['no such folder', 'ERR_PART_ACCESS', ({ setOf }) => setOf('new.set', [A, ['3M /none/c1', '4M /none/c2']])],
    ['no room', 'ERR_DISK_FULL', ({ setOf }) => setOf('new.set', [A, ['3M /c1', '900T /c2']])],
    [
      'a replica that stays is not whole',
      'ERR_RECORD',
      ({ directory, setOf }) => {
        rmSync(join(directory, 'b2'))
        return setOf('new.set', [A, B, C])
      },
    ],
  ]
  for (const [what, code, spoil] of cases) {
    const made = await bedOf(t)
    const next = spoil(made)
    const untouched = snapshot(made.directory)
    const refusal = (dryRun: boolean) =>
      transform(made.set, next, { dryRun }).then(
        () => undefined,
        error => error,
      )
    const [dry, act] = [await refusal(true), await refusal(false)]
    t.ok(hasCode(dry, code as 'ERR_RECORD'), `${what}: ${dry}`)
    t.equal(act?.message, dry?.message, what)
    t.strictSame(snapshot(made.directory), untouched, `${what}: nothing has changed`)
  }
})

const bedOf = (t: Test) => bed(t, undefined, A, B)

t.test('a failure on the way leaves the old pool and nothing of the new one', async t => {
  const { directory, set, bytes, setOf } = await bedOf(t)
  const next = setOf('new.set', [A, B, C])
  const untouched = readdirSync(directory)
  const stop = new AbortController()
  const attempt = transform(set, next, { signal: stop.signal, onStep: () => stop.abort(new Error('enough')) })
  await t.rejects(attempt, { message: 'enough' })
  t.strictSame(readdirSync(directory), untouched)
  const pool = await Pool.open(set)
  t.ok(Buffer.from(pool.view(0, pool.size)).equals(bytes))
  await pool.close()
})

t.test('an attempt that was killed is gone on with', async t => {
  const { directory, set, bytes, setOf } = await bedOf(t)
  const next = setOf('new.set', [C, A])
  // As far as a finished copy that nobody is linked to yet.
  const kept = snapshotFiles(directory, ['a1', 'a2', 'b1', 'b2'])
  await transform(set, next)
  kept.restore()
  await transform(set, next)
  const pool = await Pool.open(next)
  t.ok(Buffer.from(pool.view(0, pool.size)).equals(bytes))
  await pool.close()
})

function snapshotFiles(directory: string, names: string[]) {
  const content = names.map(name => readFileSync(join(directory, name)))
  return {
    restore() {
      for (const [index, name] of names.entries()) writeFileSync(join(directory, name), content[index] ?? '')
    },
  }
}

t.test('a pool that is in use is left alone, and a set that describes it as it is changes nothing', async t => {
  const { set, setOf } = await bedOf(t)
  const pool = await Pool.open(set)
  await t.rejects(transform(set, setOf('new.set', [A])), { code: 'ERR_POOL_BUSY' })
  await pool.close()
  t.strictSame(await transform(set, setOf('same.set', [A, B])), [])
})
