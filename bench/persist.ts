import { hasCode, KiB, MiB } from '../core/index.js'
import { type ProviderName, providerNames } from '../fabric-native/index.js'
import type { RemotePool } from '../initiator/index.js'
import { Bed } from './bed.js'
import { measureFloor } from './floor.js'
import type { BenchOptions } from './options.js'
import type { Report, Row } from './row.js'
import { type Flight, Sample, sampleInFlight, sampleSync } from './sample.js'
import { sampleThreads } from './threads.js'

const poolSize = 64 * MiB
const sizes = [8, 64, 512, 4 * KiB, 64 * KiB, MiB, 8 * MiB]
const quickSizes = [64, 4 * KiB, 64 * KiB, MiB]
const maxLanes = 8

/** One run of the benchmark: where it happens, how thoroughly, and where the rows go. */
interface Run {
  readonly bed: Bed
  readonly report: Report
  readonly options: BenchOptions
}

/** A connection whose lanes are measured. */
interface Subject extends Run {
  readonly provider: ProviderName
  readonly remote: RemotePool
}

/** Persists of librpmem's kind over every provider that works here, and whole pools over the one that was chosen. */
export async function benchPersist(report: Report, options: BenchOptions): Promise<void> {
  const run = { bed: await Bed.start(), report, options }
  try {
    for (const provider of providerNames) await benchProvider(run, provider)
    for (const bytes of [64, MiB]) await benchPools(run, bytes)
    await benchCreateAndOpen(run)
  } finally {
    await run.bed.close()
  }
}

async function benchProvider(run: Run, provider: ProviderName): Promise<void> {
  const remote = await connect(run.bed, provider)
  if (!remote) return
  const subject = { ...run, provider, remote }
  try {
    for (const bytes of run.options.quick ? quickSizes : sizes) benchSync(subject, bytes)
    benchFlush(subject)
    for (const scenario of asyncScenarios(run.options)) await benchAsync(subject, scenario)
    for (const threads of run.options.quick ? [4] : [1, 2, 4]) await benchThreads(subject, threads)
  } finally {
    await remote.close({ remove: true })
  }
}

async function connect(bed: Bed, provider: ProviderName): Promise<RemotePool | undefined> {
  try {
    const remote = await bed.remotePool(provider, poolSize, maxLanes)
    touch(remote)
    return remote
  } catch (error) {
    if (!hasCode(error, 'ERR_NO_PROVIDER')) throw error
    console.log(`${provider}: ${error.message}`)
    return undefined
  }
}

/** The floor runs on memory whose pages are mapped; a first touch of each page is not what is compared. */
function touch(remote: RemotePool): void {
  for (let at = 0; at < poolSize; at += MiB) remote.persistSync(at, MiB, { ...laneOptions[0], relaxed: true })
}

/** Rounds for about as long a measurement for every size; the sockets provider is reported, not studied. */
function roundsOf(bytes: number, { quick }: BenchOptions, provider?: ProviderName): number {
  const rounds = bytes >= 8 * MiB ? 100 : bytes >= MiB ? 400 : bytes >= 64 * KiB ? 4000 : 20_000
  return Math.ceil(rounds / (quick ? 4 : 1) / (provider === 'sockets' ? 20 : 1))
}

/** Ranges lie one behind the other, so that no cache line is hot by repetition alone. */
const placeOf = (round: number, bytes: number): number => (round * bytes) % (poolSize - bytes)

const laneOptions = Array.from({ length: maxLanes }, (_, lane) => ({ lane }))

function benchSync({ provider, remote, report, options }: Subject, bytes: number): void {
  const rounds = roundsOf(bytes, options, provider)
  const floorUs = provider === 'tcp' ? measureFloor(bytes, Math.min(rounds, 5000)).p50Us : 0
  const sample = sampleSync(rounds, round => remote.persistSync(placeOf(round, bytes), bytes, laneOptions[0]))
  report.add(rowOf({ provider, mode: 'persistSync', bytes, floorUs }, sample))
}

function benchFlush({ provider, remote, report, options }: Subject): void {
  const bytes = 64
  const sample = sampleSync(Math.ceil(roundsOf(bytes, options, provider) / 4), round => {
    for (let n = 0; n < 16; n++) remote.flush(placeOf(round * 16 + n, bytes), bytes, laneOptions[0])
    remote.drainSync(laneOptions[0])
  })
  report.add(rowOf({ provider, mode: 'flush × 16 + drain', bytes }, sample))
}

interface AsyncScenario {
  readonly bytes: number
  readonly inflight: number
  readonly lanes: number
}

function asyncScenarios({ quick }: BenchOptions): AsyncScenario[] {
  if (quick) return [{ bytes: 64, inflight: 64, lanes: 1 }]
  const bySize = sizes.map(bytes => ({ bytes, inflight: bytes >= MiB ? 4 : 64, lanes: 1 }))
  const byLanes = [2, 4, 8].map(lanes => ({ bytes: 64, inflight: 64, lanes }))
  return [{ bytes: 64, inflight: 1, lanes: 1 }, { bytes: 64, inflight: 8, lanes: 1 }, ...bySize, ...byLanes]
}

async function benchAsync({ provider, remote, report, options }: Subject, scenario: AsyncScenario): Promise<void> {
  const { bytes, inflight, lanes } = scenario
  const rounds = roundsOf(bytes, options, provider) * (inflight > 1 && bytes < 64 * KiB ? 20 : 1)
  const flight = await sampleInFlight(rounds, inflight, round =>
    remote.persist(placeOf(round, bytes), bytes, laneOptions[round % lanes]),
  )
  report.add(rowOf({ provider, mode: 'persist', ...scenario }, flight.sample, flight))
}

/** Each thread over a lane of its own; the rate counts the warm-up as time and not as work. */
async function benchThreads({ provider, remote, report, options }: Subject, threads: number): Promise<void> {
  const bytes = 64
  const flight = await sampleThreads(remote, threads, bytes, roundsOf(bytes, options, provider) / 2)
  const mode = `persistSync, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
  report.add(rowOf({ provider, mode, bytes, lanes: threads, inflight: threads }, flight.sample, flight))
}

async function benchPools({ bed, report, options }: Run, bytes: number): Promise<void> {
  for (const replicas of [0, 1, 2]) {
    const pool = await bed.pool(16 * MiB, replicas)
    const sample = sampleSync(roundsOf(bytes, options), round => pool.persistSync((round * bytes) % (8 * MiB), bytes))
    const mode = `pool, ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`
    report.add(rowOf({ provider: replicas > 0 ? 'tcp' : 'local', mode, bytes }, sample))
    await pool.close()
  }
}

async function benchCreateAndOpen({ bed, report, options }: Run): Promise<void> {
  const rounds = options.quick ? 5 : 15
  const created = new Sample(rounds)
  const opened = new Sample(rounds)
  for (let round = 0; round < rounds; round++) {
    const place = bed.place(16 * MiB)
    const remote = await timed(created, () => place.create('tcp'))
    await remote.close()
    const again = await timed(opened, () => place.open('tcp'))
    await again.close()
    await place.remove()
  }
  report.add(rowOf({ provider: 'tcp', mode: 'create', bytes: 0 }, created))
  report.add(rowOf({ provider: 'tcp', mode: 'open', bytes: 0 }, opened))
}

async function timed<T>(sample: Sample, act: () => Promise<T>): Promise<T> {
  const begin = performance.now()
  const result = await act()
  sample.add((performance.now() - begin) * 1000)
  return result
}

type Scenario = Pick<Row, 'provider' | 'mode' | 'bytes'> & Partial<Pick<Row, 'lanes' | 'inflight' | 'floorUs'>>

function rowOf(scenario: Scenario, sample: Sample, flight?: Flight): Row {
  return {
    bench: 'persist',
    ...{ lanes: 1, inflight: 1, floorUs: 0, ...scenario },
    p50Us: sample.percentileUs(0.5),
    p99Us: sample.percentileUs(0.99),
    opsPerSecond: flight ? sample.count / flight.seconds : 1e6 / sample.meanUs,
  }
}
