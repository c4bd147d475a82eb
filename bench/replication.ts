import { KiB, MiB } from '../core/index.js'
import { NativeMemory } from '../fabric-native/index.js'
import type { Pool } from '../initiator/index.js'
import { blockSums } from '../pool/block-sums.js'
import { DirtyMap } from '../pool/dirty-map.js'
import { Bed } from './bed.js'
import type { BenchOptions } from './options.js'
import type { Report, Row } from './row.js'
import { Sample } from './sample.js'

const poolSize = 64 * MiB
const bytes = 64

interface Run {
  readonly bed: Bed
  readonly report: Report
  readonly options: BenchOptions
}

/** What receipts, policy and the map of what is missing cost a pool, well and degraded, and how fast a replica comes back. */
export async function benchReplication(report: Report, options: BenchOptions): Promise<void> {
  const run = { bed: await Bed.start(), report, options }
  try {
    await benchHealthy(run)
    await benchDegraded(run)
    await benchReturn(run)
  } finally {
    await run.bed.close()
  }
}

/** The same persists by the pool, and by the two memories of which it is made: in turns, so that the machine is the same to both. */
async function benchHealthy({ bed, report, options }: Run): Promise<void> {
  const pool = await bed.pool(poolSize, 1)
  const memory = bed.file(poolSize)
  const place = bed.place(poolSize, 8, memory)
  const remote = await place.create('tcp')
  const rounds = options.quick ? 8000 : 40_000
  const byPool = (at: number) => pool.persistSync(at, bytes)
  const bare = (at: number) => {
    const persisting = remote.start(at + 4 * KiB, bytes)
    memory.persist(at + 4 * KiB, bytes)
    persisting.finishSync()
  }
  const [whole, parts] = inTurns(rounds, [byPool, bare])
  report.add(rowOf('healthy pool', bytes, whole, parts.percentileUs(0.5)))
  report.add(rowOf('its two memories', bytes, parts))
  await remote.close()
  await place.remove()
  await pool.close()
}

/** A pool whose target is away, and one without replicas whose user marks the same pages in a map of its own. */
async function benchDegraded({ bed, report, options }: Run): Promise<void> {
  const pool = await bed.pool(poolSize, 1, { onReplicaLost: 'degrade' })
  const local = await bed.pool(poolSize, 0)
  const map = DirtyMap.format(bed.file(DirtyMap.sizeFor(poolSize)), poolSize, 'ab'.repeat(16))
  const comeBack = await bed.lose(pool)
  const rounds = options.quick ? 2000 : 10_000
  const degraded = (at: number) => pool.persistSync(at, bytes)
  const alone = (at: number) => {
    local.persistSync(at, bytes)
    map.mark(at, bytes)
  }
  for (const [name, step] of [
    ['new pages', 4 * KiB],
    ['same page', 0],
  ] as const) {
    const [lost, marked] = inTurns(rounds, [degraded, alone], step)
    report.add(rowOf(`degraded, ${name}`, bytes, lost, marked.percentileUs(0.5)))
    report.add(rowOf(`local + map, ${name}`, bytes, marked))
  }
  await pool.close()
  await local.close()
  await comeBack()
}

/** How fast ranges go to a replica that is well, how fast to one that has come back without them, and how fast it is verified. */
async function benchReturn({ bed, report, options }: Run): Promise<void> {
  const length = options.quick ? 32 * MiB : 56 * MiB
  const pool = await bed.pool(poolSize, 1, { onReplicaLost: 'degrade' })
  const places = Array.from({ length: length / MiB }, (_, n) => n * MiB)
  const rounds = options.quick ? 3 : 7
  const samples = { streaming: new Sample(rounds), returning: new Sample(rounds), verifying: new Sample(rounds) }
  const hashing = new Sample(rounds)
  const memory = NativeMemory.anonymous(length)
  for (let round = 0; round < rounds; round++) {
    fill(pool, length, round)
    await timed(samples.streaming, () => Promise.all(places.map(at => pool.persist(at, MiB, relaxed))))
    memory.copyIn(0, pool.view(0, length), { noFlush: true })
    await timed(hashing, async () => blockSums(memory, 0, length, 64 * KiB))
    await timed(samples.verifying, () => pool.verify({ ranges: [{ offset: 0, length }] }))
    const comeBack = await bed.lose(pool)
    fill(pool, length, round + 100)
    for (const at of places) pool.persistSync(at, MiB)
    const [began] = await Promise.all([reaches(pool, 'syncing'), comeBack()])
    samples.returning.add(((await reaches(pool, 'synced')) - began) * 1000)
  }
  memory.close()
  const streamingUs = samples.streaming.percentileUs(0.5)
  report.add(rowOf('stream', length, samples.streaming))
  report.add(rowOf('resync', length, samples.returning, streamingUs))
  report.add(rowOf('checksums alone', length, hashing))
  report.add(rowOf('verify', length, samples.verifying, hashing.percentileUs(0.5)))
  await pool.close()
}

const relaxed = { relaxed: true, deadlineMs: 30_000 }

/** When a replica came into this state, in milliseconds of performance.now(). */
function reaches(pool: Pool, state: string): Promise<number> {
  return new Promise(resolve => {
    const listener = (change: { readonly state: string }) => {
      if (change.state !== state) return
      pool.off('replica-state', listener)
      resolve(performance.now())
    }
    pool.on('replica-state', listener)
  })
}

/** Bytes that differ from round to round in every word. */
function fill(pool: Pool, length: number, salt: number): void {
  const view = pool.view(0, length)
  const words = new Uint32Array(view.buffer, view.byteOffset, length / 4)
  for (let at = 0; at < words.length; at++) words[at] = Math.imul(at + salt, 0x9e3779b9)
}

/** A warm-up of a tenth, then one of each after the other, `step` bytes further on each time. */
function inTurns(rounds: number, works: readonly [Work, Work], step = bytes): [Sample, Sample] {
  const samples: [Sample, Sample] = [new Sample(rounds), new Sample(rounds)]
  for (let round = -Math.ceil(rounds / 10); round < rounds; round++) {
    const at = (Math.abs(round) * step) % (poolSize - 2 * MiB)
    for (let turn = 0; turn < 2; turn++) {
      // Each goes first as often as the other.
      const index = (turn + Math.abs(round)) % 2
      const begin = performance.now()
      works[index]?.(at)
      if (round >= 0) samples[index]?.add((performance.now() - begin) * 1000)
    }
  }
  return samples
}

type Work = (at: number) => void

async function timed(sample: Sample, act: () => Promise<unknown>): Promise<void> {
  const begin = performance.now()
  await act()
  sample.add((performance.now() - begin) * 1000)
}

const rowOf = (mode: string, size: number, sample: Sample, floorUs = 0): Row => ({
  bench: 'replication',
  provider: 'tcp',
  mode,
  bytes: size,
  ...{ lanes: 1, inflight: 1, floorUs },
  p50Us: sample.percentileUs(0.5),
  p99Us: sample.percentileUs(0.99),
  opsPerSecond: 1e6 / sample.meanUs,
})
