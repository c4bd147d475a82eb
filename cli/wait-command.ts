import { RpmemError } from '../core/index.js'
import type { SetStatus } from '../pool/index.js'
import type { Io } from './io.js'
import { ReplicaProgressBar } from './replica-progress-bar.js'
import { standingJson } from './standing-text.js'
import { watchStatus } from './status-watch.js'

export interface WaitFlags {
  /** Seconds. */
  readonly timeout?: number
  readonly json?: boolean
}

/** `rpmem wait SET --synced`: returns when every replica is known to miss nothing. ERR_DEADLINE, ERR_ABORTED. */
export async function waitSynced(file: string, { timeout, json }: WaitFlags, io: Io): Promise<void> {
  const limit = timeout === undefined ? undefined : AbortSignal.timeout(timeout * 1000)
  const bar = new ReplicaProgressBar(io, `waiting for the replicas of ${file}`)
  let last: SetStatus | undefined
  try {
    for await (const status of watchStatus(file, AbortSignal.any([io.signal, ...(limit ? [limit] : [])]))) {
      last = status
      if (status.good) break
      for (const { name, report } of status.replicas) bar.show(name, report?.resync)
    }
  } finally {
    bar.end()
  }
  if (!last?.good) throw io.signal.aborted ? io.signal.reason : notInTime(file, timeout, last)
  if (!json) return
  io.out(`${JSON.stringify({ file, synced: true, replicas: last.replicas.map(standingJson) })}\n`)
}

function notInTime(file: string, timeoutSeconds: number | undefined, status: SetStatus | undefined): RpmemError {
  const missing = status?.replicas.filter(({ inStep }) => !inStep).map(({ name, why }) => `${name}: ${why}`) ?? []
  return new RpmemError('ERR_DEADLINE', `not every replica of ${file} was in step after ${timeoutSeconds} s`, {
    facts: { replicas: missing },
    hint: 'A replica comes into step while a program has the pool open; `rpmem sync` does it for one that is closed.',
  })
}
