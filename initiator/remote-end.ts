import { type ErrorCode, type Fact, RpmemError } from '../core/index.js'
import type { RemoteEnd } from './remote-shell.js'

/** What is known of a remote command when it failed. */
export interface RemoteReport {
  /** The shell's name, for people. */
  readonly name: string
  readonly command: string
  readonly end: RemoteEnd | undefined
  readonly stderr: string
  /** An external client stands between: 255 is its own failure. */
  readonly external: boolean
}

const shellNotFound = 127
const shellNotExecutable = 126
const clientFailed = 255

export function remoteError(
  code: ErrorCode,
  rule: string,
  report: RemoteReport,
  more: { readonly [key: string]: Fact } = {},
): RpmemError {
  const { name, command, end, stderr } = report
  const line = firstLine(stderr)
  return new RpmemError(code, `${name}: ${rule}${line === '' ? '' : `; it says: ${line}`}`, {
    cause: end?.error,
    facts: { host: name, command, exitCode: end?.exitCode, signal: end?.signal, stderr: stderr || undefined, ...more },
  })
}

/** The command ended without a word. */
export function endedTooEarly(report: RemoteReport): RpmemError {
  const { exitCode, signal } = report.end ?? {}
  if (exitCode === shellNotFound) return remoteError('ERR_RPMEMD_MISSING', `there is no ${report.command}`, report)
  if (exitCode === shellNotExecutable) {
    return remoteError('ERR_RPMEMD_MISSING', `${report.command} cannot be executed`, report)
  }
  if (report.external && exitCode === clientFailed) {
    return remoteError('ERR_SSH_CLIENT', 'the external client failed', report)
  }
  if (exitCode === undefined && signal === undefined) {
    return remoteError('ERR_SSH_UNREACHABLE', 'the connection broke before rpmemd was ready', report)
  }
  const how = signal === undefined ? `with exit code ${exitCode}` : `by ${signal}`
  return remoteError('ERR_RPMEMD_EXITED', `rpmemd ended ${how} before it was ready`, report)
}

/** What rpmemd says itself counts more than what a shell or its log say before it. */
function firstLine(text: string): string {
  const lines = text.split(/[\r\n]/).map(line => line.trim())
  const line = lines.find(candidate => candidate.startsWith('rpmemd: ')) ?? lines.find(candidate => candidate !== '')
  return line?.slice(0, 300) ?? ''
}
