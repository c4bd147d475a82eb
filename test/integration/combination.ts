import { readFileSync } from 'node:fs'
import type { Test } from 'tap'
import {
  attributesEqual,
  incompatSingleHeader,
  MiB,
  type PoolAttributes,
  pageSize,
  type Random,
  seededRandom,
} from '../../core/index.js'
import { NativeMemory, type PersistMethod, type ProviderName } from '../../fabric-native/index.js'
import { RemotePool, type RemotePoolCreateOptions } from '../../initiator/index.js'
import { checkHeaders } from '../../pool/header-check.js'
import { sameBytes } from '../fixture/same-bytes.js'

/** What carries the lanes, and how. */
export interface Path {
  readonly provider: ProviderName
  /** PMDK's is what our ends speak where the word `negotiate` does not arrive. */
  readonly dialect: 'rpmem' | 'pmdk'
  /** --persist-apm, and parts that pass for DAX. */
  readonly apm: boolean
  /** What the target makes of that: outside PMDK's dialect APM takes verbs (test/lab). */
  readonly method: PersistMethod
}

/** One way in which our two ends can work together. */
export interface Combination {
  readonly path: Path
  /** Asked for. */
  readonly lanes: number
  readonly parts: 1 | 3 | 20
  readonly headers: 'each' | 'SINGLEHDR' | 'NOHDRS'
}

export const paths: readonly Path[] = [
  { provider: 'tcp', dialect: 'rpmem', apm: false, method: 'GPSPM' },
  { provider: 'tcp', dialect: 'rpmem', apm: true, method: 'GPSPM' },
  { provider: 'sockets', dialect: 'rpmem', apm: false, method: 'GPSPM' },
  { provider: 'sockets', dialect: 'rpmem', apm: true, method: 'GPSPM' },
  { provider: 'sockets', dialect: 'pmdk', apm: false, method: 'GPSPM' },
  { provider: 'sockets', dialect: 'pmdk', apm: true, method: 'APM' },
]
export const partCounts = [1, 3, 20] as const
export const headerKinds = ['each', 'SINGLEHDR', 'NOHDRS'] as const

export const pathName = ({ provider, dialect, apm, method }: Path): string =>
  `${provider}, ${method}${apm && method !== 'APM' ? ' (APM allowed)' : ''}, dialect of ${dialect}`

export const nameOf = ({ path, lanes, parts, headers }: Combination): string =>
  `${pathName(path)}: ${lanes} lanes asked, ${parts} parts, headers ${headers}`

/** A target with a pool set x.set over the parts 0, 1, 2 … of a folder. */
export interface Ground {
  readonly address: string
  readonly options: RemotePoolCreateOptions
  /** Lanes that it grants at most. */
  readonly most: number
  part(index: number): string
  write(poolSet: string): void
  /** Names of the files where the parts lie. */
  partFiles(): string[]
}

const sizes: Readonly<Record<Combination['parts'], readonly number[]>> = {
  1: [8 * MiB],
  3: [3 * MiB, 4 * MiB + 3 * pageSize, 2 * MiB],
  20: Array.from({ length: 20 }, (_, part) => 2 * MiB + (part % 3) * pageSize),
}

/** How many parts begin with a header. */
const headerCount = ({ parts, headers }: Combination): number => ({ each: parts, SINGLEHDR: 1, NOHDRS: 0 })[headers]

/** Does everything that two ends can do together; compares each byte and each header with what must be there. */
export async function prove(t: Test, ground: Ground, combination: Combination, seed: number): Promise<void> {
  const { path, lanes, parts, headers } = combination
  const random = seededRandom(seed)
  const lines = sizes[parts].map((bytes, part) => `${bytes} ${ground.part(part)}`)
  const option = headers === 'each' ? [] : [`OPTION ${headers}`]
  ground.write(['PMEMPOOLSET', ...option, ...lines, ''].join('\n'))
  const memory = NativeMemory.anonymous(sizeOf(combination))
  const options = { ...ground.options, lanes, transport: { require: path.provider } }
  const attributes = () => (headers === 'NOHDRS' ? undefined : attributesFrom(random, headers === 'SINGLEHDR'))
  const granted = Math.min(lanes, ground.most)
  const first = headers === 'NOHDRS' ? 0 : pageSize
  const compare = async (pool: RemotePool) => {
    const seen = new Uint8Array(memory.size - first)
    await pool.read(first, seen, { lane: pool.laneCount - 1 })
    sameBytes(t, seen, memory.view(first, seen.length), 'read from the target')
  }
  try {
    const pool = await RemotePool.create(ground.address, 'x.set', memory, { ...options, attributes: attributes() })
    t.match(pool, { laneCount: granted, lanesRequested: lanes, size: memory.size })
    t.match(pool.transport, { provider: path.provider, persistMethod: path.method })
    await exercise(pool, memory, seamsOf(combination), random)
    const later = attributes()
    await pool.setAttributes(later)
    pool.persistSync(...store(memory, random, memory.size - 8, 8))
    await t.rejects(pool.setAttributes(later ? undefined : attributesFrom(random, false)), { code: 'ERR_ATTRIBUTES' })
    await pool.close()
    compareFiles(t, ground, combination, memory.view(first, memory.size - first), later)

    const again = await RemotePool.open(ground.address, 'x.set', memory, options)
    t.equal(again.laneCount, granted)
    t.ok(later ? again.attributes && attributesEqual(again.attributes, later) : again.attributes === undefined)
    await compare(again)
    await again.close()
    await RemotePool.remove(ground.address, 'x.set', ground.options)
    t.strictSame(ground.partFiles(), [], 'removed')
  } finally {
    memory.close()
  }
}

/** The pool's bytes: every header but the first takes a page away. */
function sizeOf(combination: Combination): number {
  const total = sizes[combination.parts].reduce((sum, bytes) => sum + bytes, 0)
  return total - Math.max(0, headerCount(combination) - 1) * pageSize
}

/** Pool offsets at which one part ends and the next begins. */
function seamsOf(combination: Combination): number[] {
  const headers = headerCount(combination)
  let at = 0
  return sizes[combination.parts].slice(0, -1).map((bytes, part) => {
    at += bytes - (part > 0 && part < headers ? pageSize : 0)
    return at
  })
}

/** Every kind of persist: on each lane, across each seam, inline and written, relaxed and not, deep, blocking and not. */
async function exercise(pool: RemotePool, memory: NativeMemory, seams: number[], random: Random): Promise<void> {
  const put = (offset: number, length: number) => store(memory, random, offset, length)
  for (let lane = 0; lane < pool.laneCount; lane++) {
    const at = pageSize + lane * 1024
    pool.persistSync(...put(at, 64), { lane })
    await pool.persist(...put(at + 64, 64), { lane, relaxed: true })
    pool.flush(...put(at + 128, 64), { lane })
    pool.flush(...put(at + 192, 100), { lane, relaxed: true })
    if (lane % 2 === 0) pool.drainSync({ lane })
    else await pool.drain({ lane })
    pool.deepPersistSync(...put(at + 512, 64), { lane })
  }
  const last = pool.laneCount - 1
  for (const seam of seams) await pool.persist(...put(seam - 5000, 10_000), { lane: last })
  // Longer than what travels inline, in one dialect as in the other.
  const long = 5 * MiB - 333
  await pool.persist(...put(long, 400_000))
  pool.flush(...put(long + 400_000, 20_000))
  pool.flush(...put(long + 420_000, 300_000), { relaxed: true })
  await pool.drain()
  await pool.deepPersist(...put(long + 720_000, 30_001), { lane: last })
}

function store(memory: NativeMemory, random: Random, offset: number, length: number): [offset: number, length: number] {
  const salt = random.bytes(1)[0] ?? 0
  const range = memory.view(offset, length)
  for (let at = 0; at < length; at++) range[at] = 1 + (((offset + at) * 7 + salt) % 251)
  return [offset, length]
}

/** Whatever a header can hold; flags of zero would be filled in. */
function attributesFrom(random: Random, singleHeader: boolean): PoolAttributes {
  const [major = 0, compat = 0, roCompat = 0] = random.bytes(3)
  return {
    ...{ signature: random.bytes(8), major, compat, incompat: 2 | (singleHeader ? incompatSingleHeader : 0), roCompat },
    ...{
      poolsetUuid: random.bytes(16),
      uuid: random.bytes(16),
      nextUuid: random.bytes(16),
      prevUuid: random.bytes(16),
    },
    userFlags: random.bytes(16),
  }
}

function compareFiles(
  t: Test,
  ground: Ground,
  combination: Combination,
  expected: Uint8Array,
  attributes: PoolAttributes | undefined,
): void {
  const { parts } = combination
  t.equal(ground.partFiles().length, parts, 'nothing but the parts')
  const files = sizes[parts].map((_, part) => readFileSync(ground.part(part)))
  t.strictSame(
    files.map(({ length }) => length),
    sizes[parts],
  )
  const headers = headerCount(combination)
  const content = files.map((file, part) => (part < headers ? file.subarray(pageSize) : file))
  sameBytes(t, Buffer.concat(content), expected, 'in the parts')
  const pages = files
    .slice(0, headers)
    .map((file, part) => ({ path: `part ${part}`, page: file.subarray(0, pageSize) }))
  for (const { signature, major, compat, incompat, roCompat, poolsetUuid, archFlags } of checkHeaders(pages)) {
    const held = { signature, major, compat, incompat, roCompat, poolsetUuid }
    t.match(attributes, held, 'each header holds the attributes')
    t.strictSame(archFlags, attributes?.userFlags)
  }
}
