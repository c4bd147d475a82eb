import type { Readable, Writable } from 'node:stream'
import { describe, errno, type Log, RpmemError, systemClock, systemRandom } from '../core/index.js'
import type { Fabric, ProviderName, ProviderReport } from '../fabric-native/index.js'
import type { Storage } from '../pool/index.js'
import { encodeControl, encodeFirstWord, failureOf } from '../wire/index.js'
import { type CommandLine, parseCommandLine, usageText } from './command-line.js'
import { globalConfigFile, loadSettings } from './config.js'
import { openDaemonLog } from './daemon-log.js'
import { PmdkDialogue } from './pmdk-dialogue.js'
import { expandPoolSetDir } from './pool-set-path.js'
import { FilePoolStore } from './pool-store.js'
import { removePool } from './removal.js'
import { RpmemDialogue } from './rpmem-dialogue.js'
import { exitCodes, Session } from './session.js'
import type { Settings } from './settings.js'
import { parseSshConnection } from './ssh-connection.js'
import type { TargetNode } from './target-node.js'

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
  readonly storage: Storage
  readonly version: string
  /** Calls back for each of the three signals. */
  readonly onSignal: (stop: (signal: StopSignal) => void) => void
  /** Default /etc/rpmemd/rpmemd.conf. */
  readonly globalConfigFile?: string
}

const startFailed = 1
const usageError = 255
const bug = 70
const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

/** rpmemd(1): one run of the daemon, from its arguments to its exit code. Only protocol bytes go to the output. */
export async function rpmemd(ports: DaemonPorts): Promise<number> {
  // Whoever does not listen any more shows it on the other streams too.
  ports.stderr.on('error', () => {})
  ports.output.on('error', () => {})
  try {
    const line = parseCommandLine(ports.args)
    if (line.help || line.version) return say(ports, line.help ? usageText : `rpmemd of rpmem ${ports.version}\n`)
    return await run(line, ports)
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

async function run(line: CommandLine, ports: DaemonPorts): Promise<number> {
  const found = configure(line, ports)
  if (found instanceof RpmemError) return failStart(found, line, ports)
  const { settings, poolSetDir } = found
  const log = openDaemonLog(settings, ports.stderr)
  try {
    if (line.remove === undefined) return await serve(line, settings, poolSetDir, log, ports)
    const { remove: poolSet, force, poolSet: removePoolSet } = line
    return await removePool({ poolSetDir, poolSet, force, removePoolSet, storage: ports.storage, log })
  } catch (error) {
    log.write('err', inDetail(error))
    throw error
  } finally {
    await log.close()
  }
}

function configure(line: CommandLine, ports: DaemonPorts) {
  try {
    const home = ports.env.HOME || ports.home()
    const settings = loadSettings(line, { globalFile: ports.globalConfigFile ?? globalConfigFile, home })
    return { settings, poolSetDir: expandPoolSetDir(settings.poolSetDir, home) }
  } catch (error) {
    if (error instanceof RpmemError) return error
    throw error
  }
}

/**
 * A configuration that cannot be used. An initiator of PMDK learns its errno; ours learns all of it. In remove mode nothing
 * is written, for any byte would hide the exit code from the initiator.
 */
function failStart(error: RpmemError, line: CommandLine, ports: DaemonPorts): number {
  tell(ports, error)
  const value = error.errno ?? errno.EINVAL
  if (line.remove !== undefined) return value
  if (!line.negotiate) ports.output.write(encodeFirstWord({ errno: value }))
  else ports.output.write(Buffer.concat([encodeFirstWord('rpmem'), encodeControl(failureOf(error, 0))]))
  return startFailed
}

async function serve(
  line: CommandLine,
  settings: Settings,
  poolSetDir: string,
  log: Log,
  ports: DaemonPorts,
): Promise<number> {
  const connection = parseSshConnection(ports.env.SSH_CONNECTION)
  const node: TargetNode = {
    store: new FilePoolStore(poolSetDir, ports.storage),
    fabric: ports.fabric,
    offers: lookForProviders(line.negotiate, ports.fabric, connection?.serverAddress),
    connection,
    apmEnabled: settings.persistApm,
    threads: line.threads,
    log,
    clock: systemClock,
    random: systemRandom,
  }
  const session = new Session({
    input: ports.input,
    output: ports.output,
    node,
    dialogue: send =>
      line.negotiate ? new RpmemDialogue(node, send, `rpmem ${ports.version}`) : new PmdkDialogue(node, send),
  })
  let stoppedBy: StopSignal | undefined
  ports.onSignal(signal => {
    stoppedBy ??= signal
    log.write('notice', `stopped by ${signal}`)
    session.stop()
  })
  const code = await session.run()
  return stoppedBy && code === exitCodes.inputEnded ? 128 + signalNumbers[stoppedBy] : code
}

const pmdkProviders: readonly ProviderName[] = ['verbs', 'sockets']
const allProviders: readonly ProviderName[] = ['verbs', 'tcp', 'sockets']

/** Whether sockets may be used is the initiator's decision (RPMEM_ENABLE_SOCKETS); here it is always offered. */
async function lookForProviders(
  negotiate: boolean,
  fabric: Fabric,
  source: string | undefined,
): Promise<readonly ProviderReport[]> {
  const providers = negotiate ? allProviders : pmdkProviders
  const without = (reason: string) => providers.map(provider => ({ provider, reason }))
  if (source === undefined) return without('SSH_CONNECTION does not tell the address of this target')
  try {
    return await fabric.probe(providers, { source })
  } catch (error) {
    return without(describe(error).join(': '))
  }
}
