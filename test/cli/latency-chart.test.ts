import { createHistogram } from 'node:perf_hooks'
import fc from 'fast-check'
import t from 'tap'
import { latencyBuckets, latencyChart, percentiles } from '../../cli/latency-chart.js'

const latencies = fc.array(fc.integer({ min: 1, max: 4e9 }), { minLength: 1, maxLength: 200 })

t.test('every latency is in exactly one bucket, and all but the last are within their bounds', async t => {
  fc.assert(
    fc.property(latencies, list => {
      const buckets = latencyBuckets(list, 16)
      t.ok(buckets.length <= 16)
      t.equal(
        buckets.reduce((sum, { count }) => sum + count, 0),
        list.length,
      )
      for (const { from, to, count } of buckets.slice(0, -1)) {
        t.equal(list.filter(ns => ns >= from && ns < to).length, count)
      }
    }),
    { seed: 20261120, numRuns: 50 },
  )
})

t.test('no line is wider than the terminal, and a bucket with one latency among many shows', async t => {
  const list = [...new Array<number>(10_000).fill(20_000), 3_000_000]
  const lines = latencyChart(list, 80)
  t.ok(lines.every(line => line.length <= 80))
  t.match(lines.at(-1), / 1 ▏$/)
  t.match(lines[0], /10000 █+$/)
})

t.test('nothing measured draws nothing', async t => {
  t.same(latencyChart([], 80), [])
})

t.test('percentiles are in units for people', async t => {
  const histogram = createHistogram()
  for (let us = 1; us <= 1000; us++) histogram.record(us * 1000)
  t.match(percentiles(histogram), /^p50 5\d\d µs {3}p99 99\d µs {3}p99\.9 \d.* {3}max 1/)
})
