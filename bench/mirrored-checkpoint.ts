import { join } from 'node:path'
import { pageSize } from '../core/index.js'
import { Arena } from '../lpsm/index.js'
import { Bed } from './bed.js'
import type { BenchOptions } from './options.js'
import type { Report } from './row.js'
import { type Sample, sampleSync } from './sample.js'

const pages = 100
const size = 16_384 * pageSize
const bytes = pages * pageSize

/** Checkpoints of 100 pages with two targets, beside those without, and beside the same bytes sent to both. */
export async function benchMirrored(report: Report, { quick }: BenchOptions, places: Readonly<Record<string, string>>) {
  const bed = await Bed.start()
  const rounds = quick ? 60 : 400
  try {
    const networkUs = await transferUs(report, bed, rounds)
    for (const [place, under] of Object.entries(places)) {
      const localUs = await commitUs(report, bed, rounds, place, join(under, 'local'), 0)
      await commitUs(report, bed, rounds, place, join(under, 'mirrored'), 2, Math.max(localUs, networkUs))
    }
  } finally {
    await bed.close()
  }
}

async function transferUs(report: Report, bed: Bed, rounds: number): Promise<number> {
  const pool = await bed.pool(size, 2)
  const sample = sampleSync(rounds, round => void pool.persistSync((round % 64) * bytes, bytes))
  await pool.close()
  report.add(row('pool, 2 replicas', sample, 0))
  return sample.percentileUs(0.5)
}

async function commitUs(
  report: Report,
  bed: Bed,
  rounds: number,
  place: string,
  path: string,
  replicas: number,
  floorUs = 0,
): Promise<number> {
  const arena = await Arena.open(path, `${path}.log`, { size, ...bed.arenaOptions(size, replicas) })
  const view = arena.view(0, size)
  view.fill(1)
  arena.checkpointSync()
  const sample = sampleSync(rounds, round => {
    for (let page = 0; page < pages; page++)
      view.fill(round, (page * 163 + round) * pageSize, (page * 163 + round + 1) * pageSize)
    arena.checkpointSync()
  })
  await arena.close()
  report.add(row(`${replicas} replicas, ${place}`, sample, floorUs))
  return sample.percentileUs(0.5)
}

function row(mode: string, sample: Sample, floorUs: number) {
  const figures = {
    p50Us: sample.percentileUs(0.5),
    p99Us: sample.percentileUs(0.99),
    opsPerSecond: 1e6 / sample.meanUs,
  }
  return { bench: 'checkpoint', provider: 'mirror', mode, bytes, lanes: 1, inflight: 1, ...figures, floorUs }
}
