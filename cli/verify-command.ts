import { describe, formatBytes, RpmemError } from '../core/index.js'
import { SshConnector } from '../initiator/index.js'
import {
  type Comparison,
  compareReplicas,
  differingBytes,
  type Verification,
  type VerifyOptions,
} from '../pool/index.js'
import { errorJson } from './error-text.js'
import { bytes } from './flags.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'
import { ReplicaProgressBar } from './replica-progress-bar.js'
import { openInStep, type SyncFlags } from './sync-command.js'
import { remotePoolOptions } from './target-options.js'

export interface VerifyFlags extends SyncFlags {
  readonly repair?: boolean
  /** OFFSET:LENGTH each. */
  readonly range?: readonly string[]
}

/** `rpmem verify SET`: compares every replica, block by block. True if all were compared and in the end none differs. */
export async function verifyPool(file: string, flags: VerifyFlags, io: Io): Promise<boolean> {
  const { rate, range } = flags
  const bar = new ReplicaProgressBar(io, `comparing the replicas of ${file}`)
  const options: VerifyOptions = {
    ...(rate !== undefined && { bytesPerSecond: rate }),
    ...(range && { ranges: range.map(rangeOf) }),
    onProgress: ({ replica, doneBytes, wholeBytes, bytesPerSecond }) =>
      bar.show(replica, { doneBytes, leftBytes: wholeBytes - doneBytes, bytesPerSecond }),
  }
  try {
    const verdicts = flags.repair ? await repair(file, flags, options, io) : await look(file, flags, options, io)
    bar.end()
    if (flags.json)
      io.out(`${JSON.stringify({ file, equal: verdicts.every(isEqual), replicas: verdicts.map(toJson) })}\n`)
    else for (const verdict of verdicts) io.out(verdictText(verdict, flags.repair === true, io))
    return verdicts.every(isEqual)
  } finally {
    bar.end()
  }
}

function rangeOf(text: string): { offset: number; length: number } {
  const [offset = '', length = '', ...more] = text.split(':')
  if (more.length > 0 || length === '') throw new RpmemError('ERR_USAGE', `--range takes OFFSET:LENGTH, not '${text}'`)
  return { offset: offset === '0' ? 0 : bytes(offset, '--range'), length: bytes(length, '--range') }
}

/** Of one replica; `sentBytes`: what it was known to miss, and was sent before it was compared. */
type Verdict = Comparison & { readonly sentBytes: number }

async function look(file: string, flags: VerifyFlags, options: VerifyOptions, io: Io): Promise<Verdict[]> {
  const limit = flags.timeout === undefined ? [] : [AbortSignal.timeout(flags.timeout * 1000)]
  const connectRemote = new SshConnector(remotePoolOptions(flags, io))
  const signal = AbortSignal.any([io.signal, ...limit])
  const found = await compareReplicas(file, { ...options, connectRemote, signal })
  return found.map(one => ({ ...one, sentBytes: 0 }))
}

async function repair(file: string, flags: VerifyFlags, options: VerifyOptions, io: Io): Promise<Verdict[]> {
  const { pool, sentBytes } = await openInStep(file, flags, io)
  try {
    const found = await pool.verify({ ...options, repair: true, signal: io.signal })
    return found.map(one => ({ replica: one.replica, found: one, sentBytes: sentBytes.get(one.replica) ?? 0 }))
  } finally {
    await pool.close()
  }
}

const isEqual = ({ found }: Verdict): boolean => found !== undefined && differingBytes(found) === found.repairedBytes

function toJson(verdict: Verdict): object {
  const { replica, found, error, sentBytes } = verdict
  const equal = isEqual(verdict)
  if (!found) return { replica, equal, error: errorJson(error) }
  return { ...found, differingBytes: differingBytes(found), sentBytes, equal }
}

function verdictText({ replica, found, error, sentBytes }: Verdict, repairs: boolean, io: Io): string {
  const paint = paintFor(io)
  if (!found) return `${replica}: ${paint.bad('not verified')}, ${describe(error).join(': ')}\n`
  const sent = sentBytes > 0 ? `${formatBytes(sentBytes)} that it missed sent, ` : ''
  const compared = `${formatBytes(found.comparedBytes)} compared`
  if (differingBytes(found) === 0) return `${replica}: ${sent}${paint.good('equal')}, ${compared}\n`
  const repaired = repairs ? `, ${formatBytes(found.repairedBytes)} repaired` : ''
  return `${replica}: ${sent}${paint.bad(`${formatBytes(differingBytes(found))} differ`)}${repaired}\n${placesText(found)}`
}

function placesText({ differing }: Verification): string {
  const places = differing.slice(0, 10).map(({ offset, length }) => `  ${length} bytes at ${offset}\n`)
  return `${places.join('')}${differing.length > 10 ? `  and ${differing.length - 10} more\n` : ''}`
}
