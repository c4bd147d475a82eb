import { SshConnector } from '../initiator/index.js'
import { transform } from '../pool/index.js'
import type { Io } from './io.js'
import { ReplicaProgressBar } from './replica-progress-bar.js'
import { remotePoolOptions, type TargetFlags } from './target-options.js'

export interface TransformFlags extends TargetFlags {
  readonly dryRun?: boolean
  /** Bytes a second. */
  readonly rate?: number
  readonly json?: boolean
}

/** `rpmem transform SET NEWSET`: the pool takes the shape of the new set, or keeps the old one. */
export async function transformPool(from: string, to: string, flags: TransformFlags, io: Io): Promise<void> {
  const { dryRun = false, rate, json } = flags
  const bar = new ReplicaProgressBar(io, `looking at the replicas of ${from}`)
  try {
    const steps = await transform(from, to, {
      copies: new SshConnector(remotePoolOptions(flags, io)),
      dryRun,
      signal: io.signal,
      ...(rate !== undefined && { bytesPerSecond: rate }),
      onProgress: ({ replica, doneBytes, wholeBytes, bytesPerSecond }) =>
        bar.show(replica, { doneBytes, leftBytes: wholeBytes - doneBytes, bytesPerSecond }),
      onStep(text) {
        bar.next()
        if (!json) io.out(`${dryRun ? 'would ' : ''}${text}\n`)
      },
    })
    bar.end()
    if (json) io.out(`${JSON.stringify({ from, to, dryRun, steps })}\n`)
    else if (steps.length === 0) io.out(`${to} describes the pool of ${from} as it is\n`)
  } finally {
    bar.end()
  }
}
