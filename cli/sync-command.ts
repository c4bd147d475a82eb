import { once } from 'node:events'
import { assert, RpmemError } from '../core/index.js'
import { Pool, type PoolOpenOptions } from '../initiator/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'
import { ReplicaProgressBar } from './replica-progress-bar.js'
import { remotePoolOptions, type TargetFlags } from './target-options.js'
import { waiting } from './waiting.js'

export interface SyncFlags extends TargetFlags {
  /** Seconds. */
  readonly timeout?: number
  /** Bytes a second. */
  readonly rate?: number
  readonly json?: boolean
}

/** A pool whose replicas are all in step, and what was sent to each on the way there. */
export interface InStep {
  readonly pool: Pool
  /** By replica, bytes. */
  readonly sentBytes: ReadonlyMap<string, number>
}

/** Opens the pool for a command and brings its replicas into step. Ends with the error of the replica that cannot be. */
export async function openInStep(file: string, flags: SyncFlags, io: Io): Promise<InStep> {
  const limit = flags.timeout === undefined ? [] : [AbortSignal.timeout(flags.timeout * 1000)]
  const signal = AbortSignal.any([io.signal, ...limit])
  const options: PoolOpenOptions = {
    // Open as soon as each has been tried, so that the rest can be watched.
    policy: { minDurable: 1 },
    remote: remotePoolOptions(flags, io),
    ...(flags.rate !== undefined && { resync: { bytesPerSecond: flags.rate } }),
    signal,
  }
  const pool = await waiting(io, `reaching the replicas of ${file}`, Pool.open(file, options))
  try {
    return { pool, sentBytes: await stepped(pool, file, signal, io) }
  } catch (error) {
    await pool.close()
    if (limit[0]?.aborted) throw notInTime(file, flags.timeout, error)
    throw error
  }
}

async function stepped(pool: Pool, file: string, signal: AbortSignal, io: Io): Promise<Map<string, number>> {
  const bar = new ReplicaProgressBar(io, `bringing the replicas of ${file} into step`)
  const sent = new Map<string, number>()
  pool.on('resync-progress', progress => {
    const { replica, phase, doneBytes } = progress
    if (phase === 'copying') sent.set(replica, doneBytes)
    bar.show(replica, progress)
  })
  try {
    for (;;) {
      const hopeless = pool.replicas.find(({ state }) => state === 'lost' || state === 'refused')
      if (hopeless) throw hopeless.failure
      if (pool.replicas.every(({ state }) => state === 'open' || state === 'synced')) return sent
      await once(pool, 'replica-state', { signal })
    }
  } finally {
    bar.end()
  }
}

function notInTime(file: string, timeoutSeconds: number | undefined, cause: unknown): RpmemError {
  assert(timeoutSeconds !== undefined, 'only a limit ends by itself')
  return RpmemError.wrap('ERR_DEADLINE', `the replicas of ${file} were not in step after ${timeoutSeconds} s`, cause, {
    facts: { file, timeoutSeconds },
    hint: 'What was sent until then stays; the next attempt goes on from there.',
  })
}

/** `rpmem sync SET`: opens the pool with all its replicas, which get what they miss, and closes it. */
export async function syncPool(file: string, flags: SyncFlags, io: Io): Promise<void> {
  const { pool, sentBytes } = await openInStep(file, flags, io)
  const replicas = pool.replicas.map(({ name, state }) => ({ name, state, sentBytes: sentBytes.get(name) ?? 0 }))
  await pool.close()
  if (flags.json) io.out(`${JSON.stringify({ file, replicas })}\n`)
  else for (const { name, state } of replicas) io.out(`${name}: ${paintFor(io).good(state)}\n`)
}
