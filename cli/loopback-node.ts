import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import ssh2, { type AuthContext, type Connection, type ParsedKey } from 'ssh2'
import { assert } from '../core/index.js'
import { freshKey } from './fresh-key.js'
import { type ConnectionEnds, daemonConfigFile, LoopbackDaemon } from './loopback-daemon.js'

const { Server, utils } = ssh2

/**
 * An SSH server on a free port of the loopback interface that stands for several remote nodes: each is a user of its own
 * with a pool set directory of its own, and the only command that it runs is our rpmemd. Host key and user key are made
 * for this server; the caller hands `identityFile` and `knownHostsFile` to the initiator, so that nobody's ~/.ssh is read.
 */
export class LoopbackNodes {
  readonly identityFile: string
  readonly knownHostsFile: string
  readonly #directory: string
  readonly #nodes: ReadonlySet<string>
  readonly #userKey: ParsedKey
  readonly #server: ssh2.Server
  readonly #connections = new Set<Connection>()
  readonly #daemons = new Set<LoopbackDaemon>()
  #port = 0

  private constructor(directory: string, nodes: readonly string[]) {
    this.#directory = directory
    this.#nodes = new Set(nodes)
    for (const node of nodes) {
      mkdirSync(this.poolSetDir(node), { recursive: true, mode: 0o700 })
      writeFileSync(daemonConfigFile(this.poolSetDir(node)), '# the command line says it all\n')
    }
    const hostKey = freshKey()
    const userKey = freshKey()
    this.identityFile = join(directory, 'id_ed25519')
    this.knownHostsFile = join(directory, 'known_hosts')
    writeFileSync(this.identityFile, userKey.private, { mode: 0o600 })
    this.#userKey = parsed(userKey.public)
    this.#server = new Server({ hostKeys: [hostKey.private] }, (client, info) => {
      const { ip: clientAddress, port: clientPort } = info
      this.#serve(client, { clientAddress, clientPort, serverAddress: '127.0.0.1', serverPort: this.#port })
    })
    this.#hostKey = hostKey.public
  }

  readonly #hostKey: string

  /** Below `directory`, which must exist, each node gets a folder of its name. */
  static async start(directory: string, nodes: readonly string[]): Promise<LoopbackNodes> {
    const loopback = new LoopbackNodes(directory, nodes)
    await loopback.#listen()
    return loopback
  }

  async #listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
    writeFileSync(this.knownHostsFile, `[127.0.0.1]:${this.#port} ${this.#hostKey}\n`)
  }

  get port(): number {
    return this.#port
  }

  /** The target address of a node, as it stands in a REPLICA line. */
  address(node: string): string {
    assert(this.#nodes.has(node), 'the node was named at the start')
    return `${node}@127.0.0.1:${this.#port}`
  }

  poolSetDir(node: string): string {
    return join(this.#directory, node)
  }

  /** The daemons that run for a node now. */
  daemons(node: string): LoopbackDaemon[] {
    return [...this.#daemons].filter(daemon => daemon.node === node)
  }

  /** Ends connections and daemons and waits until they are gone. Idempotent. */
  async close(): Promise<void> {
    const ended = [...this.#daemons].map(daemon => daemon.ended)
    for (const connection of this.#connections) connection.end()
    for (const daemon of this.#daemons) daemon.signal('SIGKILL')
    await Promise.all(ended)
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  #serve(client: Connection, ends: ConnectionEnds): void {
    this.#connections.add(client)
    // As sshd does: answers of few bytes must not wait for an acknowledgement.
    ;(client as NoDelay).setNoDelay(true)
    let user = ''
    client.on('authentication', context => {
      user = context.username
      if (this.#allows(context)) context.accept()
      else context.reject(['publickey'])
    })
    client.on('session', accept => {
      accept().on('exec', (acceptExec, reject, { command }) => {
        const [program, ...words] = shellWords(command)
        if (program !== 'rpmemd') return reject()
        this.#run(LoopbackDaemon.start(user, words, this.poolSetDir(user), ends, acceptExec()))
      })
    })
    // A client that vanishes is the ordinary end of a killed program.
    client.on('error', () => {})
    client.on('close', () => this.#connections.delete(client))
  }

  #run(daemon: LoopbackDaemon): void {
    this.#daemons.add(daemon)
    void daemon.ended.then(() => this.#daemons.delete(daemon))
  }

  #allows(context: AuthContext): boolean {
    if (context.method !== 'publickey' || !this.#nodes.has(context.username)) return false
    if (!this.#userKey.getPublicSSH().equals(context.key.data)) return false
    if (!context.signature || !context.blob) return true
    return this.#userKey.verify(context.blob, context.signature, context.hashAlgo) === true
  }
}

/** The types of ssh2 do not know the method. */
type NoDelay = Connection & { setNoDelay(noDelay: boolean): void }

function parsed(key: string): ParsedKey {
  const result = utils.parseKey(key)
  assert(!(result instanceof Error), 'a fresh key can be parsed')
  return Array.isArray(result) ? (result[0] as ParsedKey) : result
}

/** The words of a command line as a POSIX shell would part and unquote them; nothing else of a shell is understood. */
export function shellWords(command: string): string[] {
  const words = command.match(/(?:[^\s'\\]|\\.|'[^']*')+/g) ?? []
  return words.map(word => word.replace(/'([^']*)'|\\(.)/g, (_, quoted, escaped) => quoted ?? escaped))
}
