import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import type { Io } from './io.js'
import { Progress } from './progress.js'
import { type LogMemory, RecordLog } from './record-log.js'
import type { Records } from './records.js'

/** What recording needs of a pool. */
export interface RecordingPool extends LogMemory {
  persistSync(offset: number, length: number): unknown
}

export interface Recording {
  readonly log: RecordLog
  /** Nanoseconds of each persist, in order. */
  readonly latencies: readonly number[]
  readonly histogram: RecordableHistogram
  readonly elapsedMs: number
}

/** Milliseconds between two turns of the event loop, which carries SSH, the watchdog and the keyboard. */
const turnMs = 20

/** Appends every record, each durable on all replicas before the next is stored. */
export async function recordAll(pool: RecordingPool, { records, bytes }: Records, io: Io): Promise<Recording> {
  const log = new RecordLog(pool)
  const histogram = createHistogram()
  const latencies: number[] = []
  const start = performance.now()
  const progress = new Progress(io, bytes, start)
  let [done, turned] = [0, start]
  try {
    for (const record of records) {
      const { offset, length } = log.append(record)
      const before = process.hrtime.bigint()
      pool.persistSync(offset, length)
      const latency = Number(process.hrtime.bigint() - before)
      histogram.record(latency)
      latencies.push(latency)
      done += record.length
      const now = performance.now()
      if (now - turned < turnMs) continue
      progress.update(done, now)
      await turn()
      io.signal.throwIfAborted()
      turned = now
    }
  } finally {
    progress.end()
  }
  return { log, latencies, histogram, elapsedMs: performance.now() - start }
}
