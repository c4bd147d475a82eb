import {
  type Clock,
  type Log,
  type LogLevel,
  malformedAttribute,
  type PoolAttributes,
  pageSize,
  type ReplicaRecord,
  RpmemError,
  systemClock,
} from '../core/index.js'
import { type Fabric, type Memory, nativeFabric, type ProviderName } from '../fabric-native/index.js'
import { poolSetNameRule } from '../wire/index.js'
import { parseAddress, type TargetAddress } from './address.js'
import { type Environment, processEnvironment } from './environment.js'
import { ExternalClient } from './external-client.js'
import { initiatorLog } from './initiator-log.js'
import { CommandRotation, type RemoveOptions } from './remote-command.js'
import type { RemoteShell } from './remote-shell.js'
import { SshClient } from './ssh-client.js'

/** How the target is reached; everything has a default. Options win over the environment. */
export interface TargetOptions {
  readonly ssh?: SshOptions
  /** Remote command instead of RPMEM_CMD. */
  readonly command?: string
  readonly signal?: AbortSignal | undefined
  /** Instead of RPMEM_LOG_LEVEL. */
  readonly logLevel?: LogLevel
  /** Instead of RPMEM_LOG_FILE: appended to; a name that ends with `-` gets the process id. */
  readonly logFile?: string
  /** Gets every message, whatever the level; nothing is written elsewhere. */
  readonly log?: Log
  readonly clock?: Clock
  readonly environment?: Environment
  /** Instead of SSH. */
  readonly shell?: RemoteShell
}

export interface SshOptions {
  /** External client program instead of RPMEM_SSH; '' is the built-in client. */
  readonly program?: string
  /** Instead of ~/.ssh/config and /etc/ssh/ssh_config. */
  readonly configFile?: string
  readonly knownHostsFiles?: readonly string[]
  readonly identityFiles?: readonly string[]
  /** Path of the agent's socket instead of SSH_AUTH_SOCK; 'none': no agent. */
  readonly agentSocket?: string
  /** Instead of the home directory. */
  readonly home?: string
  /** Milliseconds for each step: TCP connection, handshake, jump, start of the command; default 15 000. */
  readonly connectTimeoutMs?: number
}

export interface RemotePoolOptions extends TargetOptions {
  /** Lanes asked for, at least 1; the target may grant fewer. Default 8. */
  readonly lanes?: number
  /** Upper bound of the lanes asked for, at least 1, instead of RPMEM_MAX_NLANES. */
  readonly maxLanes?: number
  /** Bytes mirrored, from pool offset 0; a multiple of the page size. Default: all of the memory. */
  readonly size?: number
  /** What the copy here has been through: a target whose copy it has left behind refuses. Without it nobody asks. */
  readonly claim?: ReplicaRecord | undefined
  readonly transport?: {
    /** Fail instead of taking another provider. */
    readonly require?: ProviderName
    /** Whether the sockets provider may be chosen, instead of RPMEM_ENABLE_SOCKETS. */
    readonly sockets?: boolean
    /** Whether the verbs provider may be chosen, instead of RPMEM_ENABLE_VERBS. */
    readonly verbs?: boolean
  }
  /** Until a call on the data path settles, in milliseconds; default 3000. */
  readonly deadlineMs?: number
  /**
   * Until the target has created, opened or closed its pool, in milliseconds; default 60 000, as allocating or removing a large
   * one takes its time. A target that stops meanwhile is noticed within 3 s; one that knows no ping (PMDK) by this deadline.
   */
  readonly openDeadlineMs?: number
  /** Until the lanes are connected, in milliseconds; for a PMDK peer, which connects one after the other, for each. Default 30 000. */
  readonly connectDeadlineMs?: number
  /** Transmit queue asked for, instead of RPMEM_WORK_QUEUE_SIZE. */
  readonly workQueueSize?: number
  /** Instead of libfabric. */
  readonly fabric?: Fabric
}

export interface RemotePoolCreateOptions extends RemotePoolOptions {
  /** What the target writes into its headers; undefined for a pool set with NOHDRS. */
  readonly attributes?: PoolAttributes | undefined
}

export interface RemotePoolRemoveOptions extends TargetOptions, RemoveOptions {}

const defaultLanes = 8
export const defaultOpenDeadlineMs = 60_000

/** A target with everything that decides how it is reached. */
export interface Target {
  readonly address: TargetAddress
  readonly shell: RemoteShell
  readonly command: string
  readonly environment: Environment
  readonly clock: Clock
  readonly log: Log
}

const rotations = new WeakMap<readonly string[], CommandRotation>()

export function targetOf(node: string, options: TargetOptions): Target {
  const address = parseAddress(node)
  const environment = options.environment ?? processEnvironment()
  const log = logOf(options)
  return {
    address,
    environment,
    log,
    clock: options.clock ?? systemClock,
    command: options.command ?? rotationOf(environment).take(),
    shell: options.shell ?? shellOf(address, options.ssh ?? {}, environment, log),
  }
}

/** Where a call with these options tells what it does. */
export function logOf({ log, environment = processEnvironment(), logLevel, logFile }: TargetOptions): Log {
  return log ?? initiatorLog({ logLevel: logLevel ?? environment.logLevel, logFile: logFile ?? environment.logFile })
}

/** One turn of the commands for the whole program, as in librpmem. */
export function rotationOf({ commands }: Environment): CommandRotation {
  const rotation = rotations.get(commands) ?? new CommandRotation(commands)
  rotations.set(commands, rotation)
  return rotation
}

function shellOf(address: TargetAddress, ssh: SshOptions, environment: Environment, log: Log): RemoteShell {
  const program = ssh.program ?? environment.sshProgram
  if (program) return new ExternalClient(program, address)
  const { home = environment.home, agentSocket = environment.agentSocket } = ssh
  return new SshClient(address, { ...ssh, home, agentSocket, log })
}

/** The checks of rpmem_create(3) and rpmem_open(3), before anything is sent. Gives the size to mirror. */
export function checkArguments(set: string, memory: Memory, options: RemotePoolOptions): number {
  const rule = poolSetNameRule(set)
  if (rule !== undefined) throw argument('set', rule, set.slice(0, 256))
  const { size = memory.size } = options
  for (const name of ['lanes', 'maxLanes', 'workQueueSize'] as const) {
    const count = options[name]
    if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count < 2 ** 32)) {
      throw argument(name, `${name} must be a whole number of at least 1`, count)
    }
  }
  for (const name of ['deadlineMs', 'openDeadlineMs', 'connectDeadlineMs'] as const) {
    const time = options[name]
    if (time !== undefined && !(Number.isInteger(time) && time >= 1 && time < 2 ** 31)) {
      throw argument(name, `${name} must be a whole number of milliseconds, at least 1`, time)
    }
  }
  if (!Number.isSafeInteger(size) || size <= 0 || size % pageSize !== 0) {
    throw argument('size', `the size must be a multiple of ${pageSize} above zero`, size)
  }
  if (size > memory.size) throw argument('size', 'the size must not pass that of the memory', size)
  return size
}

/** A caller's mistake must not pass for a bug of the encoder. */
export function checkAttributes(attributes: PoolAttributes | undefined): void {
  const field = attributes && malformedAttribute(attributes)
  if (attributes === undefined || field === undefined) return
  const value = attributes[field]
  const given = typeof value === 'number' ? value : `${value?.length} bytes`
  throw argument(`attributes.${field}`, `the attribute ${field} cannot be ${given}: see PoolAttributes`, given)
}

export const fabricOf = (options: RemotePoolOptions): Fabric => options.fabric ?? nativeFabric

export const lanesWanted = ({ lanes, maxLanes }: RemotePoolOptions, environment: Environment): number =>
  Math.min(lanes ?? defaultLanes, maxLanes ?? environment.maxLanes ?? Number.POSITIVE_INFINITY)

function argument(name: string, rule: string, value: string | number): RpmemError {
  return new RpmemError('ERR_ARGUMENT', rule, { facts: { argument: name, value } })
}
