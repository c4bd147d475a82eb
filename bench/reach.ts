import { KiB, MiB } from '../core/index.js'
import type { Row } from './row.js'

/** A claim about the rows of one run: how far we want to be, and whether we are. */
export interface Reach {
  readonly name: string
  /** Undefined where the rows that the claim is about were not measured. */
  judge(rows: readonly Row[]): { readonly seen: number; readonly limit: number; readonly pass: boolean } | undefined
}

type Match = Partial<Pick<Row, 'bench' | 'provider' | 'mode' | 'bytes' | 'lanes' | 'inflight'>>

const find = (rows: readonly Row[], match: Match): Row | undefined =>
  rows.find(row => Object.entries(match).every(([key, value]) => row[key as keyof Row] === value))

const overFloor = (mode: string, bytes: number, limit: number): Reach => ({
  name: `${mode} of ${bytes} B over tcp: median at most ${limit} × the floor`,
  judge(rows) {
    const row = find(rows, { provider: 'tcp', mode, bytes })
    return row && { seen: row.p50Us / row.floorUs, limit, pass: row.p50Us <= limit * row.floorUs }
  },
})

const atMost = (name: string, match: Match, limit: number, figure: (row: Row) => number): Reach => ({
  name,
  judge(rows) {
    const row = find(rows, match)
    return row && { seen: figure(row), limit, pass: figure(row) <= limit }
  },
})

/** librpmem's APM over sockets needed this for 1 MiB on a machine of two cores, loopback, target on tmpfs. */
const librpmemApmMebibyteUs = 178

export const persistReach: readonly Reach[] = [
  overFloor('persistSync', 64, 1.5),
  overFloor('persistSync', 4 * KiB, 1.5),
  overFloor('persistSync', 64 * KiB, 1.4),
  atMost(
    `persistSync of 1 MiB over tcp: median at most ${librpmemApmMebibyteUs} µs`,
    { provider: 'tcp', mode: 'persistSync', bytes: MiB },
    librpmemApmMebibyteUs,
    row => row.p50Us,
  ),
  atMost(
    'flush × 16 + drain over tcp: at most 1.5 µs a flush',
    { provider: 'tcp', mode: 'flush × 16 + drain' },
    1.5,
    row => row.p50Us / 16,
  ),
  {
    name: 'persist with 64 in flight, 64 B, over tcp: at least 250,000 op/s',
    judge(rows) {
      const row = find(rows, { provider: 'tcp', mode: 'persist', bytes: 64, inflight: 64, lanes: 1 })
      return row && { seen: row.opsPerSecond, limit: 250_000, pass: row.opsPerSecond >= 250_000 }
    },
  },
  {
    name: 'persistSync of 64 B to two remote replicas: at most 2 × one',
    judge(rows) {
      const one = find(rows, { mode: 'pool, 1 replica', bytes: 64 })
      const two = find(rows, { mode: 'pool, 2 replicas', bytes: 64 })
      return one && two && { seen: two.p50Us / one.p50Us, limit: 2, pass: two.p50Us <= 2 * one.p50Us }
    },
  },
  atMost('create over SSH: at most 400 ms', { mode: 'create' }, 400, row => row.p50Us / 1000),
]

const heapRow = (rows: readonly Row[], match: Match) => find(rows, { bench: 'heap', provider: 'vmem', ...match })

const heapOverFloor = (name: string, match: Match, limit: number): Reach => ({
  name,
  judge(rows) {
    const row = heapRow(rows, match)
    return row && { seen: row.p50Us / row.floorUs, limit, pass: row.p50Us <= limit * row.floorUs }
  },
})

const heapThreads = (bytes: number): Reach => ({
  name: `malloc and free of ${bytes} B: two threads at least 1.5 × one`,
  judge(rows) {
    const [one, two] = [1, 2].map(lanes => heapRow(rows, { mode: 'offsets, threads', bytes, lanes }))
    const seen = one && two && two.opsPerSecond / one.opsPerSecond
    return seen === undefined ? undefined : { seen, limit: 1.5, pass: seen >= 1.5 }
  },
})

export const heapReach: readonly Reach[] = [
  heapOverFloor('malloc and free of 64 B, offsets: at most 2 × two empty calls', { mode: 'offsets', bytes: 64 }, 2),
  ...[KiB, 64 * KiB, MiB].map(bytes =>
    heapOverFloor(
      `malloc and free of ${bytes} B, Buffers: at most Buffer.allocUnsafeSlow`,
      { mode: 'Buffers', bytes },
      1,
    ),
  ),
  ...[64, 64 * KiB].map(heapThreads),
]

const commitOf = (rows: readonly Row[], provider: string, place: string) =>
  find(rows, { bench: 'checkpoint', provider, mode: `sync, ${place}`, bytes: 100 * 4 * KiB })

const commitsBeside = (other: string, place: string, limit: number): Reach => ({
  name: `commits of 100 pages a second on ${place}: at least ${limit} × those of ${other}`,
  judge(rows) {
    const [arena, beside] = [commitOf(rows, 'arena', place), commitOf(rows, other, place)]
    const seen = arena && beside && beside.p50Us / arena.p50Us
    return seen === undefined ? undefined : { seen, limit, pass: seen >= limit }
  },
})

const mirroredOver = (place: string, limit: number): Reach => ({
  name: `checkpoint with two targets, ${place}: at most ${limit} × the slower of commit here and transfer`,
  judge(rows) {
    const row = find(rows, { provider: 'mirror', mode: `2 replicas, ${place}` })
    return row && { seen: row.p50Us / row.floorUs, limit, pass: row.p50Us <= limit * row.floorUs }
  },
})

export const checkpointReach: readonly Reach[] = [
  ...['disk', 'tmpfs'].map(place => mirroredOver(place, 1.5)),
  ...['disk', 'tmpfs'].flatMap(place => [commitsBeside('lmdb', place, 2), commitsBeside('sqlite', place, 1)]),
  atMost('find 1,000 changed pages in 1 GiB: below 1 ms', { mode: 'find 1000 in 1 GiB' }, 1, row => row.p50Us / 1000),
]

const beside = (name: string, mode: string, limit: number): Reach => ({
  name,
  judge(rows) {
    const row = find(rows, { bench: 'replication', mode })
    return row && { seen: row.p50Us / row.floorUs, limit, pass: row.p50Us <= limit * row.floorUs }
  },
})

export const replicationReach: readonly Reach[] = [
  beside('persist of 64 B to a healthy pool: at most 1.05 × its two memories', 'healthy pool', 1.05),
  ...['new pages', 'same page'].map(pages =>
    beside(`degraded persist, ${pages}: at most a local one with the same map`, `degraded, ${pages}`, 1),
  ),
  beside('resync: at least 0.7 × the rate of streaming', 'resync', 1 / 0.7),
  beside('verify of equal replicas: at most 1.5 × checksums alone', 'verify', 1.5),
]

/** Prints a line for each claim; true if all that could be judged hold and none is missing. */
export function checkReach(reaches: readonly Reach[], rows: readonly Row[]): boolean {
  const verdicts = reaches.map(reach => ({ reach, verdict: reach.judge(rows) }))
  for (const { reach, verdict } of verdicts) {
    const figures = verdict ? `${verdict.seen.toFixed(2)} (reach ${verdict.limit})` : 'not measured'
    console.log(`${verdict?.pass ? 'PASS' : 'FAIL'}  ${reach.name}: ${figures}`)
  }
  return verdicts.every(({ verdict }) => verdict?.pass)
}
