import { formatBytes, RpmemError } from '../core/index.js'
import { Pool } from '../initiator/index.js'
import type { ReplicaStatus } from '../pool/index.js'
import type { Io } from './io.js'
import { methodText, transportText } from './replica-text.js'
import { remotePoolOptions, type TargetFlags } from './target-options.js'
import { waiting } from './waiting.js'

export interface CreateFlags extends TargetFlags {
  readonly signature?: string
  readonly major?: string
  readonly mode?: string
  readonly json?: boolean
}

/** `rpmem create SET`: all replicas of the pool, or none. */
export async function createPool(file: string, flags: CreateFlags, io: Io): Promise<void> {
  const options = {
    ...(flags.signature !== undefined && { signature: flags.signature }),
    ...(flags.major !== undefined && { major: wholeNumber('--major', flags.major, 10) }),
    ...(flags.mode !== undefined && { mode: wholeNumber('--mode', flags.mode, 8) }),
    remote: remotePoolOptions(flags, io),
    signal: io.signal,
  }
  const pool = await waiting(io, `creating the pool of ${file}`, Pool.create(file, options))
  try {
    const replicas = pool.replicas.map(({ name, kind, method, transport }) => ({ name, kind, method, transport }))
    if (flags.json) io.out(`${JSON.stringify({ file, size: pool.size, replicas })}\n`)
    else io.out(summary(file, pool.size, replicas))
  } finally {
    await pool.close()
  }
}

type Created = Pick<ReplicaStatus, 'name' | 'kind' | 'method' | 'transport'>

function summary(file: string, size: number, replicas: readonly Created[]): string {
  const lines = replicas.map(({ name, method, transport }) => {
    const path = transport ? `${transportText(transport).path}; ` : ''
    return `  ${name}: ${path}${methodText(method)}\n`
  })
  return `${file}: created, ${formatBytes(size)} usable\n${lines.join('')}`
}

function wholeNumber(flag: string, text: string, base: 8 | 10): number {
  const valid = base === 8 ? /^[0-7]{1,4}$/ : /^\d{1,10}$/
  if (valid.test(text)) return Number.parseInt(text, base)
  const form = base === 8 ? 'an octal number such as 0640' : 'a decimal number'
  throw new RpmemError('ERR_USAGE', `${flag} takes ${form}, not ${text}`)
}
