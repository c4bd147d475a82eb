import { type Log, systemClock, systemRandom } from '../core/index.js'
import type { ProviderReport } from '../fabric-native/index.js'
import type { CommandLine } from './command-line.js'
import { LatePoolStore } from './late-pool-store.js'
import { PmdkDialogue } from './pmdk-dialogue.js'
import { RpmemDialogue } from './rpmem-dialogue.js'
import type { DaemonPorts, StopSignal } from './rpmemd.js'
import { exitCodes, Session } from './session.js'
import type { Settings } from './settings.js'
import type { SshConnection } from './ssh-connection.js'
import type { TargetNode } from './target-node.js'

export interface ServiceRequest {
  readonly line: CommandLine
  readonly settings: Settings
  readonly poolSetDir: string
  readonly ports: DaemonPorts
  readonly connection: SshConnection | undefined
  readonly offers: Promise<readonly ProviderReport[]>
  readonly log: Log
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

/** Serves the initiator at the other end of the streams until it leaves or a signal comes; resolves to the exit code. */
export async function serveInitiator(request: ServiceRequest): Promise<number> {
  const { line, ports, log } = request
  const node = nodeOf(request)
  const session = new Session({
    input: ports.input,
    output: ports.output,
    node,
    dialogue: send =>
      line.negotiate ? new RpmemDialogue(node, send, `rpmem ${ports.version()}`) : new PmdkDialogue(node, send),
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

const nodeOf = ({ line, settings, poolSetDir, ports, connection, offers, log }: ServiceRequest): TargetNode => ({
  store: new LatePoolStore(offers, async () => {
    const { FilePoolStore } = await import('./pool-store.js')
    return new FilePoolStore(poolSetDir, ports.storage)
  }),
  fabric: ports.fabric,
  offers,
  connection,
  apmEnabled: settings.persistApm,
  threads: line.threads,
  log,
  clock: systemClock,
  random: systemRandom,
})
