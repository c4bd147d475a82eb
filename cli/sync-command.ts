import { formatBytes } from '../core/index.js'
import { Pool, type PoolOpenOptions } from '../initiator/index.js'
import type { Io } from './io.js'
import { Progress } from './progress.js'
import { remotePoolOptions, type TargetFlags } from './target-options.js'
import { waiting } from './waiting.js'

export interface SyncFlags extends TargetFlags {
  /** Seconds. */
  readonly timeout?: number
  readonly json?: boolean
}

/** A pool whose replicas are all in step, for a command. Ends with the error of the replica that cannot be. */
export async function openInStep(file: string, flags: SyncFlags, io: Io): Promise<Pool> {
  const signals = [io.signal, ...(flags.timeout === undefined ? [] : [AbortSignal.timeout(flags.timeout * 1000)])]
  const options: PoolOpenOptions = {
    policy: {},
    remote: remotePoolOptions(flags, io),
    signal: AbortSignal.any(signals.filter(signal => signal !== undefined)),
  }
  return waiting(io, `bringing the replicas of ${file} into step`, Pool.open(file, options))
}

/** `rpmem sync SET`: opens the pool with all its replicas, which get what they miss, and closes it. */
export async function syncPool(file: string, flags: SyncFlags, io: Io): Promise<void> {
  const pool = await openInStep(file, flags, io)
  const replicas = pool.replicas.map(({ name, state }) => ({ name, state }))
  await pool.close()
  if (flags.json) io.out(`${JSON.stringify({ file, replicas })}\n`)
  else for (const { name, state } of replicas) io.out(`${name}: ${state}\n`)
}

export interface VerifyFlags extends SyncFlags {
  readonly repair?: boolean
  /** Bytes a second. */
  readonly rate?: number
}

/** `rpmem verify SET`: compares every replica, block by block. True if in the end none differs. */
export async function verifyPool(file: string, flags: VerifyFlags, io: Io): Promise<boolean> {
  const { repair = false, rate } = flags
  const pool = await openInStep(file, flags, io)
  const progress = new Progress(io, pool.size * (pool.replicas.length - 1), performance.now())
  const done = new Map<string, number>()
  try {
    const found = await pool.verify({
      repair,
      ...(rate !== undefined && { bytesPerSecond: rate }),
      ...(io.signal && { signal: io.signal }),
      onProgress({ replica, doneBytes }) {
        done.set(replica, doneBytes)
        progress.update(
          [...done.values()].reduce((sum, bytes) => sum + bytes, 0),
          performance.now(),
        )
      },
    })
    progress.end()
    const verdicts = found.map(one => {
      const differingBytes = one.differing.reduce((sum, { length }) => sum + length, 0)
      return { ...one, differingBytes, equal: differingBytes === one.repairedBytes }
    })
    if (flags.json) io.out(`${JSON.stringify({ file, replicas: verdicts })}\n`)
    else for (const verdict of verdicts) io.out(verdictText(verdict, repair))
    return verdicts.every(({ equal }) => equal)
  } finally {
    progress.end()
    await pool.close()
  }
}

interface Verdict {
  readonly replica: string
  readonly comparedBytes: number
  readonly differingBytes: number
  readonly differing: readonly { readonly offset: number; readonly length: number }[]
  readonly repairedBytes: number
}

function verdictText(
  { replica, comparedBytes, differingBytes, differing, repairedBytes }: Verdict,
  repair: boolean,
): string {
  if (differingBytes === 0) return `${replica}: equal, ${formatBytes(comparedBytes)} compared\n`
  const places = differing.slice(0, 10).map(({ offset, length }) => `  ${length} bytes at ${offset}\n`)
  const more = differing.length > 10 ? `  and ${differing.length - 10} more\n` : ''
  const repaired = repair ? `, ${formatBytes(repairedBytes)} repaired` : ''
  return `${replica}: ${formatBytes(differingBytes)} differ${repaired}\n${places.join('')}${more}`
}
