import type { Readable, Writable } from 'node:stream'
import { describe, errno, RpmemError } from '../core/index.js'
import type { Fabric } from '../fabric-native/index.js'
import type { Storage } from '../pool/index.js'
import { type CommandLine, parseCommandLine, usageText } from './command-line.js'
import { lookForProviders } from './provider-offers.js'
import { parseSshConnection } from './ssh-connection.js'

export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP'

/** Everything that the daemon touches of its process. */
export interface DaemonPorts {
  /** Without the program's name. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Home directory where the environment has no HOME. */
  readonly home: () => string
  readonly input: Readable
  readonly output: Writable
  readonly stderr: Writable
  readonly fabric: Fabric
  /** Default: the pool room's own. */
  readonly storage?: Storage
  readonly version: () => string
  /** Calls back for each of the three signals. */
  readonly onSignal: (stop: (signal: StopSignal) => void) => void
  /** Default /etc/rpmemd/rpmemd.conf. */
  readonly globalConfigFile?: string
}

const startFailed = 1
const usageError = 255
const bug = 70

/**
 * rpmemd(1): one run of the daemon, from its arguments to its exit code. Only protocol bytes go to the output. The fabric
 * library takes longest to load, so that only what comes before its start is imported above; the rest loads meanwhile.
 */
export async function rpmemd(ports: DaemonPorts): Promise<number> {
  // Whoever does not listen any more shows it on the input too.
  ports.stderr.on('error', () => {})
  ports.output.on('error', () => {})
  try {
    const line = parseCommandLine(ports.args)
    if (line.help || line.version) return say(ports, line.help ? usageText : `rpmemd of rpmem ${ports.version()}\n`)
    return line.remove === undefined ? await serve(line, ports) : await remove(line, line.remove, ports)
  } catch (error) {
    tell(ports, error)
    return error instanceof RpmemError ? usageError : bug
  }
}

function say(ports: DaemonPorts, text: string): number {
  ports.stderr.write(text)
  return 0
}

function tell(ports: DaemonPorts, error: unknown): void {
  const lines = error instanceof RpmemError ? [...describe(error), error.hint] : [inDetail(error)]
  ports.stderr.write(lines.map(line => `rpmemd: ${line}\n`).join(''))
}

const inDetail = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

/** Nothing is ever written to the output: any byte there would hide the exit code from the initiator. */
async function remove(line: CommandLine, poolSet: string, ports: DaemonPorts): Promise<number> {
  const [{ configure }, { openDaemonLog }, { removePool }] = await Promise.all([
    import('./configuration.js'),
    import('./daemon-log.js'),
    import('./removal.js'),
  ])
  const found = configure(line, ports)
  if (found instanceof RpmemError) {
    tell(ports, found)
    return found.errno ?? errno.EINVAL
  }
  const log = openDaemonLog(found.settings, ports.stderr)
  const { force, poolSet: removePoolSet } = line
  const request = { poolSetDir: found.poolSetDir, poolSet, force, removePoolSet, storage: ports.storage, log }
  const { status, failure } = await removePool(request).finally(() => log.close())
  // The initiator sees the standard error, but not the log.
  if (failure !== undefined) ports.stderr.write(`rpmemd: ${failure}\n`)
  return status
}

async function serve(line: CommandLine, ports: DaemonPorts): Promise<number> {
  const connection = parseSshConnection(ports.env.SSH_CONNECTION)
  const offers = lookForProviders(line.negotiate, ports.fabric, connection)
  const [{ configure }, { openDaemonLog }, { serveInitiator }] = await Promise.all([
    import('./configuration.js'),
    import('./daemon-log.js'),
    import('./service.js'),
  ])
  const found = configure(line, ports)
  if (found instanceof RpmemError) return failStart(found, line, ports)
  const log = openDaemonLog(found.settings, ports.stderr)
  try {
    return await serveInitiator({ ...found, line, ports, connection, offers, log })
  } catch (error) {
    log.write('err', inDetail(error))
    throw error
  } finally {
    await log.close()
  }
}

/** A configuration that cannot be used. An initiator of PMDK learns its errno; ours learns all of it. */
async function failStart(error: RpmemError, line: CommandLine, ports: DaemonPorts): Promise<number> {
  const { encodeControl, encodeFirstWord, failureOf } = await import('../wire/index.js')
  tell(ports, error)
  ports.output.write(
    line.negotiate
      ? Buffer.concat([encodeFirstWord('rpmem'), encodeControl(failureOf(error, 0))])
      : encodeFirstWord({ errno: error.errno ?? errno.EINVAL }),
  )
  return startFailed
}
