import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { attributesAreZero, MiB, type PoolAttributes, zeroAttributes } from '../../core/index.js'
import { targetBed } from './target-bed.js'

/** What travels to a target as attributes is in its headers, and comes back, whatever the values are. */

const seed = Number(process.env.RPMEM_TEST_SEED ?? Date.now() % 2 ** 31)

const word = fc.oneof(fc.constantFrom(0, 1, 2, 4, 7, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff), fc.nat(0xffff_ffff))
const block = (length: number) =>
  fc.oneof(
    fc.constantFrom(new Uint8Array(length), new Uint8Array(length).fill(0xff)),
    fc.uint8Array({ minLength: length, maxLength: length }),
  )

const anyAttributes: fc.Arbitrary<PoolAttributes> = fc
  .record({
    signature: block(8),
    major: word,
    compat: word,
    incompat: word,
    roCompat: word,
    poolsetUuid: block(16),
    uuid: block(16),
    nextUuid: block(16),
    prevUuid: block(16),
    userFlags: block(16),
  })
  .filter(attributes => !attributesAreZero(attributes))

/** arch_flags of this machine, from reference pool-format 1.1. */
const archFlags = new Uint8Array(Buffer.from('10737737f70700000201000000003e00', 'hex'))

const isZero = (bytes: Uint8Array): boolean => bytes.every(byte => byte === 0)
const plain = (attributes: PoolAttributes | undefined) =>
  Object.fromEntries(
    Object.entries(attributes ?? zeroAttributes()).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ]),
  )

/** Reference pool-format 3.1: what is zero is made up by the target; `found` tells what it made of the UUIDs. */
function completed(given: PoolAttributes, found: PoolAttributes): PoolAttributes {
  const or = (value: Uint8Array, other: Uint8Array) => (isZero(value) ? other : value)
  const uuid = or(given.uuid, found.uuid)
  return {
    ...given,
    poolsetUuid: or(given.poolsetUuid, found.poolsetUuid),
    uuid,
    nextUuid: or(given.nextUuid, uuid),
    prevUuid: or(given.prevUuid, uuid),
    userFlags: or(given.userFlags, archFlags),
  }
}

for (const dialect of ['rpmem', 'pmdk'] as const) {
  t.test(`create and set_attr over the ${dialect} dialect keep every value (RPMEM_TEST_SEED=${seed})`, async t => {
    const { pools, parts, create, open } = await targetBed(t, dialect)
    writeFileSync(join(pools, 'plain.set'), `PMEMPOOLSET\n2M ${parts}/a\n2M ${parts}/b\n`)
    writeFileSync(join(pools, 'single.set'), `PMEMPOOLSET\nOPTION SINGLEHDR\n2M ${parts}/a\n2M ${parts}/b\n`)
    await fc.assert(
      fc.asyncProperty(anyAttributes, anyAttributes, async (first, second) => {
        const set = first.incompat & 1 ? 'single.set' : 'plain.set'
        const size = 2 * MiB
        await (await create(set, { attributes: first, size })).close()
        const found = await open(set, { size })
        const created = found.attributes ?? zeroAttributes()
        t.ok(!isZero(created.uuid) && !isZero(created.poolsetUuid))
        t.same(plain(created), plain(completed(first, created)), 'as created')
        await found.setAttributes(second)
        t.same(plain(found.attributes), plain(second))
        await found.close()
        const again = await open(set, { size })
        t.same(plain(again.attributes), plain(second), 'as set, raw')
        await again.close()
        for (const name of ['a', 'b']) rmSync(join(parts, name))
      }),
      { seed, numRuns: 40 },
    )
  })
}
