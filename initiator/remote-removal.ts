import { type ErrorCode, printable, RpmemError } from '../core/index.js'
import { unlessAborted } from './abortable-wait.js'
import { removeCommand } from './remote-command.js'
import { endedTooEarly, type RemoteReport, remoteError } from './remote-end.js'
import { type RemotePoolRemoveOptions, type Target, targetOf } from './remote-pool-options.js'

/** Exit status of `rpmemd --remove` → what it says; PMDK's daemon uses the same numbers. */
const codes: Readonly<Record<number, ErrorCode>> = {
  1: 'ERR_RPMEMD_STARTUP',
  2: 'ERR_PART_MISSING',
  9: 'ERR_POOLSET_OUTSIDE',
  11: 'ERR_POOL_BUSY',
  13: 'ERR_PART_ACCESS',
  22: 'ERR_POOLSET_UNSUITABLE',
}

const deadlineMs = 60_000
const maxText = 16 * 1024

/** Removes the pool of a set on its target, as rpmem_remove(3): no messages travel, the exit status tells. */
export async function removeRemotePool(node: string, set: string, options: RemotePoolRemoveOptions): Promise<void> {
  const target = targetOf(node, options)
  const report = await run(target, removeCommand(target.command, set, options), options.signal)
  const { exitCode } = report.end ?? {}
  if (report.stdout !== '' && exitCode === 0)
    throw remoteError('ERR_REMOTE_NOISE', 'text came from the removal', report)
  if (exitCode !== 0) throw failure(set, report)
}

interface Removal extends RemoteReport {
  readonly stdout: string
}

async function run(target: Target, command: string, signal: AbortSignal | undefined): Promise<Removal> {
  const { shell, clock } = target
  const process = await shell.launch(command, { signal })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].on('error', () => {})
    process[name].on('data', (chunk: Buffer) => {
      if (texts[name].length < maxText) texts[name] = (texts[name] + printable(String(chunk))).slice(0, maxText)
    })
  }
  process.stdin.on('error', () => {})
  process.stdin.end()
  let late = false
  const cancel = clock.after(
    deadlineMs,
    () => {
      late = true
      process.kill()
    },
    'holds',
  )
  const end = await (signal ? unlessAborted(process.ended, signal) : process.ended).finally(() => {
    cancel()
    if (signal?.aborted) process.kill()
  })
  const report = { name: shell.name, command: target.command, external: shell.external, end, ...texts }
  if (late) throw remoteError('ERR_DEADLINE', `the removal did not end within ${deadlineMs} ms`, report)
  return report
}

function failure(set: string, report: Removal): RpmemError {
  const exitCode = report.end?.exitCode
  const code = exitCode === undefined ? undefined : codes[exitCode]
  if (exitCode === undefined) return endedTooEarly(report)
  const rule = `the pool of ${set} was not removed (exit status ${exitCode})`
  const error = exitCode >= 126 ? endedTooEarly(report) : remoteError(code ?? 'ERR_REMOTE', rule, report, { set })
  // As librpmem has it, also where the number is none of the daemon's but a shell's.
  return new RpmemError(error.code, error.message, { facts: error.facts, cause: error.cause, errno: exitCode })
}
