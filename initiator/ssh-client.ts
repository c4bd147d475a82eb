import type { Client, ClientChannel } from 'ssh2'
import { type Log, type RpmemError, silentLog } from '../core/index.js'
import { formatAddress, type TargetAddress } from './address.js'
import type { LaunchOptions, RemoteEnd, RemoteProcess, RemoteShell } from './remote-shell.js'
import { type AnswerOptions, sshAnswer } from './ssh-answer.js'
import { describeHost, type HostConfig, resolveHost, type SshConfigFiles } from './ssh-config.js'
import { connectChain, type SshConnection } from './ssh-connection.js'
import { unreachable } from './ssh-failure.js'
import type { IdentitySources } from './ssh-identity.js'

export interface SshClientOptions extends SshConfigFiles, IdentitySources {
  readonly home?: string | undefined
  /** Used instead of those of the configuration. */
  readonly knownHostsFiles?: readonly string[] | undefined
  readonly identityFiles?: readonly string[] | undefined
  /** For the TCP connection, the handshake of each hop, each step to the next and the start of the command; the configuration's ConnectTimeout wins. Default 15 s. */
  readonly connectTimeoutMs?: number | undefined
  readonly log?: Log
}

const maxJumps = 8
const startOfCommand = { late: 'it did not start the command', refused: 'it does not run commands' }

/** The built-in SSH client. Each launch makes a connection of its own, as each ssh process would. */
export class SshClient implements RemoteShell {
  readonly name: string
  readonly external = false
  readonly #address: TargetAddress
  readonly #options: SshClientOptions

  constructor(address: TargetAddress, options: SshClientOptions = {}) {
    this.name = formatAddress(address)
    this.#address = address
    this.#options = options
  }

  async launch(command: string, { signal, family }: LaunchOptions = {}): Promise<RemoteProcess> {
    const hosts = this.#chain(this.#address, 0)
    const { agentSocket, home, connectTimeoutMs = 15_000 } = this.#options
    const connection = await connectChain(hosts, { agentSocket, home, connectTimeoutMs, signal, family })
    try {
      const timeoutMs = hosts.at(-1)?.connectTimeoutMs ?? connectTimeoutMs
      const waiting = { target: this.name, ...startOfCommand, timeoutMs, signal }
      return remoteProcess(connection, await execute(connection.client, command, waiting), this.name)
    } catch (error) {
      connection.end()
      throw error
    }
  }

  /** The jumps of the target, led by the jumps of the first of them, as ssh does. */
  #chain(address: TargetAddress, depth: number): HostConfig[] {
    const { knownHostsFiles, identityFiles, log = silentLog } = this.#options
    const resolved = resolveHost(address, this.#options)
    const host = {
      ...resolved,
      ...(knownHostsFiles && { knownHostsFiles }),
      ...(identityFiles && { identityFiles, identitiesOnly: true }),
    }
    for (const text of host.ignored) log.write('warn', `${describeHost(host)}: ${text}`)
    const [first, ...further] = host.jumps
    if (first === undefined) return [host]
    if (depth + host.jumps.length > maxJumps) throw unreachable(this.name, `more than ${maxJumps} jumps`)
    const between = further.map(jump => ({
      ...resolveHost(jump, this.#options),
      ...(knownHostsFiles && { knownHostsFiles }),
    }))
    return [...this.#chain(first, depth + host.jumps.length), ...between, host]
  }
}

function execute(client: Client, command: string, options: AnswerOptions): Promise<ClientChannel> {
  return sshAnswer(done => client.exec(command, { pty: false }, done), options)
}

function remoteProcess(connection: SshConnection, channel: ClientChannel, name: string): RemoteProcess {
  const { client, socket, peerAddress, end } = connection
  const ended = endOf(client, channel, name).finally(end)
  channel.on('error', () => {})
  return {
    stdin: channel,
    stdout: channel,
    stderr: channel.stderr,
    ended,
    peerAddress,
    unref: () => socket.unref(),
    kill: end,
  }
}

/** Whichever comes first: the end of the command with all its output, or the end of the connection. */
function endOf(client: Client, channel: ClientChannel, name: string): Promise<RemoteEnd> {
  return new Promise(resolve => {
    let end: RemoteEnd = {}
    let cause: RpmemError | undefined
    channel.on('exit', (exitCode: number | null, signal?: string) => {
      end = { exitCode: exitCode ?? undefined, signal }
    })
    client.on('error', error => {
      cause ??= unreachable(name, 'the SSH connection broke', error)
    })
    channel.on('close', () => resolve({ ...end, error: cause }))
    client.on('close', () => resolve({ ...end, error: cause }))
  })
}
