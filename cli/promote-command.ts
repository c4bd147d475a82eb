import { formatBytes } from '../core/index.js'
import { Pool } from '../initiator/index.js'
import { promote } from '../pool/index.js'
import { loadPoolSet } from '../poolset/index.js'
import type { Io } from './io.js'
import { remotePoolOptions, type TargetFlags } from './target-options.js'
import { waiting } from './waiting.js'

export interface PromoteFlags {
  readonly dryRun?: boolean
  readonly force?: boolean
  readonly json?: boolean
}

export interface ResolveFlags extends TargetFlags {
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** `rpmem resolve SET REPLICA`: keeps what is here, and overwrites the replica that went on without it. */
export async function resolveReplica(file: string, replica: string, flags: ResolveFlags, io: Io): Promise<void> {
  const { dryRun = false, json } = flags
  const options = { policy: { minDurable: 1 }, remote: remotePoolOptions(flags, io), signal: io.signal }
  const pool = await waiting(io, `reaching the replicas of ${file}`, Pool.open(file, options))
  try {
    const differingBytes = await waiting(io, `comparing ${replica}`, pool.resolve(replica, { dryRun }))
    if (json) io.out(`${JSON.stringify({ file, replica, dryRun, differingBytes })}\n`)
    else
      io.out(
        `${replica}: ${formatBytes(differingBytes)} ${dryRun ? 'would be' : 'were'} overwritten with what is here\n`,
      )
  } finally {
    await pool.close()
  }
}

/** `rpmem promote SET`, on the node that keeps the copy: from now on this copy is the one that is written. */
export async function promotePool(
  file: string,
  { dryRun = false, force = false, json }: PromoteFlags,
  io: Io,
): Promise<void> {
  const { before, after } = await promote(await loadPoolSet(file), { dryRun, force, setFile: file })
  const { number, since, writer } = before.current
  if (json) io.out(`${JSON.stringify({ file, dryRun, before: before.current, after: after.current })}\n`)
  else {
    io.out(`this copy is of generation ${number}, written by ${writer} since ${since}\n`)
    const tense = dryRun ? 'would begin' : 'has begun'
    io.out(
      `generation ${after.current.number} ${tense} here; whoever wrote before is refused until it is in step with this copy\n`,
    )
  }
}
