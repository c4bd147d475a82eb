import type { RecordableHistogram } from 'node:perf_hooks'
import { formatMicroseconds } from '../core/index.js'

/** Blocks of an eighth of a column, so that a short bar still shows. */
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

export interface LatencyBucket {
  /** Nanoseconds, upper bound excluded. */
  readonly from: number
  readonly to: number
  readonly count: number
}

/**
 * Buckets whose bounds grow by the square root of two, from the shortest to the longest latency, at most `limit`: beyond
 * that the last one takes the rest. `latencies` are nanoseconds.
 */
export function latencyBuckets(latencies: readonly number[], limit: number): LatencyBucket[] {
  if (latencies.length === 0) return []
  const step = (ns: number) => Math.floor(2 * Math.log2(Math.max(ns, 1)))
  const bound = (index: number) => 2 ** (index / 2)
  const first = latencies.reduce((least, ns) => Math.min(least, step(ns)), Number.POSITIVE_INFINITY)
  const last = latencies.reduce((most, ns) => Math.max(most, step(ns)), 0)
  const counts = new Array<number>(Math.min(last - first + 1, limit)).fill(0)
  for (const ns of latencies) {
    const at = Math.min(step(ns) - first, counts.length - 1)
    counts[at] = (counts[at] ?? 0) + 1
  }
  return counts.map((count, index) => ({
    from: bound(first + index),
    to: bound(index === counts.length - 1 ? last + 1 : first + index + 1),
    count,
  }))
}

/** The chart as lines of at most `columns` columns: bounds, bar, count. */
export function latencyChart(latencies: readonly number[], columns: number, bar = (text: string) => text): string[] {
  const buckets = latencyBuckets(latencies, 16)
  const most = buckets.reduce((peak, { count }) => Math.max(peak, count), 1)
  const countWidth = String(most).length
  const barWidth = Math.max(8, columns - 26 - countWidth)
  return buckets.map(({ from, to, count }) => {
    const bounds = `${time(from).padStart(9)} – ${time(to).padEnd(9)}`
    const drawn = barText((count / most) * barWidth, count > 0)
    return `  ${bounds} ${String(count).padStart(countWidth)} ${bar(drawn)}`.trimEnd()
  })
}

function barText(length: number, some: boolean): string {
  const parts = Math.max(Math.round(length * 8), some ? 1 : 0)
  return '█'.repeat(Math.floor(parts / 8)) + (eighths[parts % 8] ?? '')
}

/** Three significant digits are enough for a bound. */
const time = (ns: number): string => formatMicroseconds(Number((ns / 1000).toPrecision(3)))

/** 'p50 38 µs   p99 91 µs   p99.9 212 µs   max 1.2 ms' */
export function percentiles(histogram: RecordableHistogram): string {
  const at = (percent: number) => `p${percent} ${time(histogram.percentile(percent))}`
  return [at(50), at(99), at(99.9), `max ${time(histogram.max)}`].join('   ')
}
