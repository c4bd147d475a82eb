import { type ErrorCode, hasCode, printable, RpmemError, systemCode } from '../core/index.js'

/** What the system says about a connection → the error that names the layer. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ENOTFOUND: 'ERR_HOST_UNKNOWN',
  EAI_AGAIN: 'ERR_HOST_UNKNOWN',
  EAI_NONAME: 'ERR_HOST_UNKNOWN',
  EAI_NODATA: 'ERR_HOST_UNKNOWN',
  ECONNREFUSED: 'ERR_SSH_REFUSED',
}

const sentences = {
  ERR_HOST_UNKNOWN: 'the host name cannot be resolved',
  ERR_SSH_REFUSED: 'the connection was refused',
  ERR_SSH_UNREACHABLE: 'no connection could be made',
} as const

/** A failed TCP connection to `target`. Several addresses tried make an AggregateError; its first code counts. */
export function connectFailure(target: string, cause: unknown): RpmemError {
  if (hasCode(cause, 'ERR_ABORTED')) return cause
  const system = systemCode(cause) ?? (cause instanceof AggregateError ? systemCode(cause.errors[0]) : undefined)
  const code = (codes[system ?? ''] ?? 'ERR_SSH_UNREACHABLE') as keyof typeof sentences
  return RpmemError.wrap(code, `${target}: ${sentences[code]}${system ? ` (${system})` : ''}`, cause, {
    facts: { target, system },
  })
}

export function unreachable(target: string, rule: string, cause?: unknown): RpmemError {
  return RpmemError.wrap('ERR_SSH_UNREACHABLE', `${target}: ${rule}`, tamed(cause), { facts: { target, rule } })
}

/** An error of ssh2 may quote the server, which must not command the terminal of whoever prints the error with its causes. */
export function tamed(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause
  const message = printable(cause.message)
  return message === cause.message ? cause : new Error(message)
}

export function aborted(signal: AbortSignal): RpmemError {
  return RpmemError.wrap('ERR_ABORTED', 'the caller ended the attempt', signal.reason)
}
