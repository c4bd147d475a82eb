import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { KiB, MiB } from '../core/index.js'
import { loadBinding } from '../fabric-native/binding.js'
import { Vmem } from '../vmem/index.js'
import type { HeapErrand } from './heap-worker.js'
import type { BenchOptions } from './options.js'
import type { Report, Row } from './row.js'

const poolSize = 256 * MiB
const sizes = [16, 64, KiB, 64 * KiB, MiB]

/** Pairs of malloc and free beside what Node.js allocates, and beside two calls of the addon that do nothing. */
export async function benchHeap(report: Report, options: BenchOptions): Promise<void> {
  const vmem = await Vmem.create('/dev/shm', poolSize)
  try {
    for (const bytes of sizes) benchPairs(vmem, report, options, bytes)
    benchRandom(vmem, report, options)
    for (const bytes of [64, 64 * KiB]) await benchThreads(vmem, report, options, bytes)
  } finally {
    await vmem.close()
  }
}

function benchPairs(vmem: Vmem, report: Report, options: BenchOptions, bytes: number): void {
  const count = bytes >= 64 * KiB ? 200 : 2000
  const { heapNothing } = loadBinding()
  const [empty, offsets] = sideBySide(
    options,
    count,
    rounds => {
      for (let n = 0; n < rounds; n++) {
        heapNothing()
        heapNothing()
      }
    },
    rounds => {
      for (let n = 0; n < rounds; n++) vmem.freeOffset(vmem.mallocOffset(bytes))
    },
  )
  report.add(row({ provider: 'addon', mode: 'two empty calls', bytes }, empty))
  report.add(row({ provider: 'vmem', mode: 'offsets', bytes, floorUs: empty }, offsets))
  const [unsafe, buffers] = sideBySide(
    options,
    count,
    rounds => {
      for (let n = 0; n < rounds; n++) kept = Buffer.allocUnsafeSlow(bytes)
    },
    rounds => {
      for (let n = 0; n < rounds; n++) vmem.free(vmem.malloc(bytes))
    },
  )
  report.add(row({ provider: 'vmem', mode: 'Buffers', bytes, floorUs: unsafe }, buffers))
  report.add(row({ provider: 'Buffer', mode: 'allocUnsafeSlow', bytes }, unsafe))
  const pooled = usOf(options, count, rounds => {
    for (let n = 0; n < rounds; n++) kept = Buffer.allocUnsafe(bytes)
  })
  report.add(row({ provider: 'Buffer', mode: 'allocUnsafe', bytes }, pooled))
  const zeroed = usOf(options, count, rounds => {
    for (let n = 0; n < rounds; n++) kept = Buffer.alloc(bytes)
  })
  report.add(row({ provider: 'Buffer', mode: 'alloc', bytes }, zeroed))
}

/** Keeps what is allocated from being optimised away. */
export let kept: Buffer | undefined

/** Sizes up to 4 KiB; each round replaces one of 4096 blocks, so that lifetimes are random as well. */
function benchRandom(vmem: Vmem, report: Report, options: BenchOptions): void {
  const blocks = Array.from({ length: 4096 }, (_, n) => vmem.mallocOffset(n))
  let state = 1
  const us = usOf(options, 2000, rounds => {
    for (let n = 0; n < rounds; n++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      const at = state >>> 20
      vmem.freeOffset(blocks[at] ?? 0)
      blocks[at] = vmem.mallocOffset((state >>> 4) & 4095)
    }
  })
  report.add(row({ provider: 'vmem', mode: 'random sizes', bytes: 0 }, us))
  for (const offset of blocks) vmem.freeOffset(offset)
}

/** One thread and two over the same time; figures are pairs of all threads together. */
async function benchThreads(vmem: Vmem, report: Report, options: BenchOptions, bytes: number): Promise<void> {
  const workers = [0, 1].map(() => new Worker(new URL('heap-worker.js', import.meta.url), { workerData: vmem.share() }))
  await Promise.all(workers.map(worker => once(worker, 'message')))
  for (const threads of [1, 2]) {
    const errand: HeapErrand = { bytes, milliseconds: options.quick ? 200 : 1000 }
    const answers = workers.slice(0, threads).map(async worker => {
      const answer = once(worker, 'message')
      worker.postMessage(errand)
      return Number((await answer)[0])
    })
    const perSecond = (await Promise.all(answers)).reduce((sum, each) => sum + each, 0)
    report.add(row({ provider: 'vmem', mode: 'offsets, threads', bytes, lanes: threads }, 1e6 / perSecond))
  }
  await Promise.all(workers.map(worker => worker.terminate()))
}

type Batch = (rounds: number) => void

const batches = ({ quick }: BenchOptions) => (quick ? 200 : 1000)

function usOf(options: BenchOptions, rounds: number, run: Batch): number {
  return median(Array.from({ length: batches(options) }, () => timed(rounds, run)))
}

/** Batches of the two by turns: a machine that is slower for a while is so for both, and their ratio stays. */
function sideBySide(options: BenchOptions, rounds: number, one: Batch, other: Batch): [number, number] {
  const samples = Array.from({ length: batches(options) }, () => [timed(rounds, one), timed(rounds, other)] as const)
  return [median(samples.map(([first]) => first)), median(samples.map(([, second]) => second))]
}

/** Microseconds a round. */
function timed(rounds: number, run: Batch): number {
  const begin = process.hrtime.bigint()
  run(rounds)
  return Number(process.hrtime.bigint() - begin) / 1000 / rounds
}

/** Of many short batches, which a busy machine disturbs less than one long one. */
function median(samples: number[]): number {
  samples.sort((a, b) => a - b)
  return samples[Math.floor(samples.length / 2)] ?? Number.NaN
}

type Scenario = Pick<Row, 'provider' | 'mode' | 'bytes'> & Partial<Pick<Row, 'lanes' | 'floorUs'>>

function row(scenario: Scenario, us: number): Row {
  const figures = { p50Us: us, p99Us: us, opsPerSecond: 1e6 / us }
  return { bench: 'heap', ...{ lanes: 1, inflight: 1, floorUs: 0, ...scenario }, ...figures }
}
