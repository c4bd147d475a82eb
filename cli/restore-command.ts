import { describe } from '../core/index.js'
import { SshConnector } from '../initiator/index.js'
import { restore } from '../pool/index.js'
import { errorJson } from './error-text.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'
import { ReplicaProgressBar } from './replica-progress-bar.js'
import { remotePoolOptions, type TargetFlags } from './target-options.js'

export interface RestoreFlags extends TargetFlags {
  readonly from?: string
  readonly force?: boolean
  readonly dryRun?: boolean
  /** Bytes a second. */
  readonly rate?: number
  readonly json?: boolean
}

/** `rpmem restore SET`: makes lost replicas again and verifies the others. True if all were found equal, or would be looked at. */
export async function restorePool(file: string, flags: RestoreFlags, io: Io): Promise<boolean> {
  const { from, force = false, dryRun = false, rate, json } = flags
  const bar = new ReplicaProgressBar(io, `looking at the replicas of ${file}`)
  try {
    const { steps, source, unreachable } = await restore(file, {
      copies: new SshConnector(remotePoolOptions(flags, io)),
      force,
      dryRun,
      signal: io.signal,
      ...(from !== undefined && { from }),
      ...(rate !== undefined && { bytesPerSecond: rate }),
      onProgress: ({ replica, doneBytes, wholeBytes, bytesPerSecond }) =>
        bar.show(replica, { doneBytes, leftBytes: wholeBytes - doneBytes, bytesPerSecond }),
      onStep(text) {
        bar.next()
        if (!json) io.out(`${dryRun ? 'would ' : ''}${text}\n`)
      },
    })
    bar.end()
    const failed = unreachable.map(({ replica, error }) => ({ replica, error: errorJson(error) }))
    if (json) io.out(`${JSON.stringify({ file, dryRun, source, steps, unreachable: failed })}\n`)
    else for (const { replica, error } of unreachable) io.err(unreachableText(replica, error, io))
    return unreachable.length === 0
  } finally {
    bar.end()
  }
}

const unreachableText = (replica: string, error: unknown, io: Io): string =>
  `${replica}: ${paintFor(io).bad('not verified')}, ${describe(error).join(': ')}\n`
