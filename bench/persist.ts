import { hasCode, KiB, MiB, type RpmemError } from '../core/index.js'
import { type ProviderName, providerNames } from '../fabric-native/index.js'
import type { RemotePool } from '../initiator/index.js'
import { Bed } from './bed.js'
import { measureFloor } from './floor.js'
import type { BenchOptions } from './options.js'
import type { Report, Row } from './row.js'
import { type Flight, type Sample, sampleInFlight, sampleSync } from './sample.js'

const poolSize = 64 * MiB
const sizes = [8, 64, 512, 4 * KiB, 64 * KiB, MiB, 8 * MiB]
const quickSizes = [64, 4 * KiB, 64 * KiB, MiB]

/** Persists of librpmem's kind over every provider that works here, and whole pools over the one that was chosen. */
export async function benchPersist(report: Report, options: BenchOptions): Promise<void> {
  const bed = await Bed.start()
  try {
    for (const provider of providerNames) await benchProvider(bed, provider, report, options)
    await benchPools(bed, report, options)
    await benchCreate(bed, report, options)
  } finally {
    await bed.close()
  }
}

/** Rounds that take about a second for small ranges and do not take for ever for large ones. */
function roundsOf(bytes: number, { quick }: BenchOptions): number {
  const rounds = bytes >= MiB ? 200 : bytes >= 64 * KiB ? 4000 : 20_000
  return quick ? rounds / 4 : rounds
}

async function benchProvider(bed: Bed, provider: ProviderName, report: Report, options: BenchOptions): Promise<void> {
  const remote = await connect(bed, provider, 8)
  if (!remote) return
  try {
    for (const bytes of options.quick ? quickSizes : sizes) benchSync(remote, provider, bytes, report, options)
    benchFlush(remote, provider, report, options)
    for (const inflight of options.quick ? [64] : [1, 8, 64])
      await benchAsync(remote, provider, inflight, report, options)
  } finally {
    await remote.close({ remove: true })
  }
}

async function connect(bed: Bed, provider: ProviderName, lanes: number): Promise<RemotePool | undefined> {
  try {
    return await bed.remotePool(provider, poolSize, lanes)
  } catch (error) {
    if (!hasCode(error, 'ERR_NO_PROVIDER')) throw error
    console.log(`${provider}: not available here (${reasonFor(error)})`)
    return undefined
  }
}

const reasonFor = (error: RpmemError): string => error.message

/** Places ranges one behind the other, so that no cache line is hot by repetition alone. */
const placeOf = (round: number, bytes: number): number => (round * bytes) % (poolSize - bytes)

function benchSync(
  remote: RemotePool,
  provider: ProviderName,
  bytes: number,
  report: Report,
  options: BenchOptions,
): void {
  const rounds = roundsOf(bytes, options)
  const floorUs = provider === 'tcp' ? measureFloor(bytes, Math.min(rounds, 5000)).p50Us : 0
  const sample = sampleSync(rounds, round => remote.persistSync(placeOf(round, bytes), bytes, lane0))
  report.add(rowOf({ provider, mode: 'persistSync', bytes, floorUs }, sample))
}

const lane0 = { lane: 0 }

function benchFlush(remote: RemotePool, provider: ProviderName, report: Report, options: BenchOptions): void {
  const bytes = 64
  const sample = sampleSync(roundsOf(bytes, options) / 4, round => {
    for (let n = 0; n < 16; n++) remote.flush(placeOf(round * 16 + n, bytes), bytes, lane0)
    remote.drainSync(lane0)
  })
  report.add(rowOf({ provider, mode: 'flush × 16 + drain', bytes }, sample))
}

async function benchAsync(
  remote: RemotePool,
  provider: ProviderName,
  inflight: number,
  report: Report,
  options: BenchOptions,
): Promise<void> {
  const bytes = 64
  const rounds = options.quick ? 100_000 : inflight === 1 ? 40_000 : 400_000
  for (const lanes of options.quick ? [1] : [1, 2, 8]) {
    const flight = await sampleInFlight(rounds, inflight, round =>
      remote.persist(placeOf(round, bytes), bytes, laneOptions[round % lanes]),
    )
    report.add(rowOf({ provider, mode: 'persist', bytes, lanes, inflight }, flight.sample, flight))
  }
}

const laneOptions = Array.from({ length: 8 }, (_, lane) => ({ lane }))

async function benchPools(bed: Bed, report: Report, options: BenchOptions): Promise<void> {
  const rounds = roundsOf(64, options)
  for (const replicas of [0, 1, 2]) {
    const pool = await bed.pool(16 * MiB, replicas)
    const sample = sampleSync(rounds, round => pool.persistSync((round * 64) % (8 * MiB), 64))
    const mode = `pool, ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`
    report.add(rowOf({ provider: replicas > 0 ? 'tcp' : 'local', mode, bytes: 64 }, sample))
    await pool.close()
  }
}

async function benchCreate(bed: Bed, report: Report, options: BenchOptions): Promise<void> {
  const flight = await sampleInFlight(options.quick ? 5 : 15, 1, async () => {
    const remote = await bed.remotePool('tcp', 16 * MiB, 1)
    await remote.close({ remove: true })
  })
  report.add(rowOf({ provider: 'tcp', mode: 'create + close', bytes: 0 }, flight.sample, flight))
}

type Scenario = Pick<Row, 'provider' | 'mode' | 'bytes'> & Partial<Pick<Row, 'lanes' | 'inflight' | 'floorUs'>>

function rowOf(scenario: Scenario, sample: Sample, flight?: Flight): Row {
  const p50Us = sample.percentileUs(0.5)
  return {
    bench: 'persist',
    ...{ lanes: 1, inflight: 1, floorUs: 0, ...scenario },
    p50Us,
    p99Us: sample.percentileUs(0.99),
    opsPerSecond: flight ? sample.count / flight.seconds : 1e6 / sample.meanUs,
  }
}
