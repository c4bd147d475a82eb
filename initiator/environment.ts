import { type LogLevel, logLevels } from '../core/index.js'

/** What the environment says about librpmem(7); options of a call win over it. */
export interface Environment {
  /** External ssh client (RPMEM_SSH); undefined: the built-in one. */
  readonly sshProgram: string | undefined
  /** Remote commands, used in turn (RPMEM_CMD, split at `|`); never empty. */
  readonly commands: readonly string[]
  /** Upper bound of the lanes asked for (RPMEM_MAX_NLANES). */
  readonly maxLanes: number | undefined
  /** Transmit queue asked for (RPMEM_WORK_QUEUE_SIZE). */
  readonly workQueueSize: number | undefined
  /** RPMEM_ENABLE_SOCKETS: the sockets provider may be chosen. */
  readonly sockets: boolean
  /** RPMEM_ENABLE_VERBS: the verbs provider may be chosen. */
  readonly verbs: boolean
  readonly logLevel: LogLevel | undefined
  readonly logFile: string | undefined
  readonly agentSocket: string | undefined
  readonly home: string | undefined
}

export type Variables = Readonly<Record<string, string | undefined>>

/** Wrong numbers count as not set, as in librpmem. */
export function readEnvironment(variables: Variables): Environment {
  return {
    sshProgram: text(variables.RPMEM_SSH),
    commands: (variables.RPMEM_CMD ?? 'rpmemd').split('|'),
    maxLanes: positive(variables.RPMEM_MAX_NLANES),
    workQueueSize: positive(variables.RPMEM_WORK_QUEUE_SIZE),
    sockets: enabled(variables.RPMEM_ENABLE_SOCKETS, false),
    verbs: enabled(variables.RPMEM_ENABLE_VERBS, true),
    logLevel: level(variables.RPMEM_LOG_LEVEL),
    logFile: text(variables.RPMEM_LOG_FILE),
    agentSocket: text(variables.SSH_AUTH_SOCK),
    home: text(variables.HOME),
  }
}

let first: Environment | undefined

/**
 * The environment of this process. As in librpmem commands, limits and log are those of the first call, while the client and
 * the providers may change from call to call.
 */
export const processEnvironment = (): Environment => {
  const now = readEnvironment(process.env)
  first ??= now
  const { sshProgram, sockets, verbs } = now
  return { ...first, sshProgram, sockets, verbs }
}

const text = (value: string | undefined): string | undefined => (value === '' ? undefined : value)

/** librpmem's rule: a decimal number other than 0 enables, garbage disables, the empty text is 0. */
function enabled(value: string | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise
  return /^\s*[+-]?\d+$/.test(value) && Number(value) !== 0
}

function positive(value: string | undefined): number | undefined {
  const number = value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : 0
  return number > 0 ? number : undefined
}

/** What librpmem(7) promises of its numbers: 1 errors, 2 basic operations too, 3 and 4 everything. */
const numberedLevels = [undefined, 'err', 'info', 'debug', 'debug'] as const

/** Names are accepted too. */
function level(value: string | undefined): LogLevel | undefined {
  const byName = logLevels.find(name => name === value)
  if (byName !== undefined || value === undefined || !/^\d{1,9}$/.test(value)) return byName
  return numberedLevels[Math.min(Number(value), numberedLevels.length - 1)]
}
