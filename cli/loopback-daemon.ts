import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ServerChannel } from 'ssh2'

const rpmemd = fileURLToPath(new URL('./rpmemd.js', import.meta.url))

/** The two ends of the SSH connection, as sshd tells them to what it starts. */
export interface ConnectionEnds {
  readonly clientAddress: string
  readonly clientPort: number
  readonly serverAddress: string
  readonly serverPort: number
}

/** Given to each daemon in place of those of this machine and user, which must have no say here. */
export const daemonConfigFile = (poolSetDir: string): string => `${poolSetDir}/rpmemd.conf`

/** One rpmemd that a loopback node started for one SSH channel. It lives no longer than its channel. */
export class LoopbackDaemon {
  readonly node: string
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(node: string, child: ChildProcess) {
    this.node = node
    this.#child = child
    this.#ended = once(child, 'close').catch(() => {})
  }

  /** Runs rpmemd with `words` as its arguments and joins its streams with those of the channel. */
  static start(
    node: string,
    words: readonly string[],
    poolSetDir: string,
    ends: ConnectionEnds,
    channel: ServerChannel,
  ): LoopbackDaemon {
    const { clientAddress, clientPort, serverAddress, serverPort } = ends
    const options = [
      `--config=${daemonConfigFile(poolSetDir)}`,
      `--poolset-dir=${poolSetDir}`,
      `--log-file=${poolSetDir}/rpmemd.log`,
    ]
    const child = spawn(process.execPath, [rpmemd, ...options, ...words], {
      cwd: poolSetDir,
      env: {
        ...process.env,
        HOME: poolSetDir,
        SSH_CONNECTION: `${clientAddress} ${clientPort} ${serverAddress} ${serverPort}`,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    join(child, channel)
    return new LoopbackDaemon(node, child)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves when the process is gone and its streams are closed. */
  get ended(): Promise<unknown> {
    return this.#ended
  }

  signal(name: NodeJS.Signals): boolean {
    return this.#child.kill(name)
  }
}

type Piped = ChildProcess & {
  stdin: NodeJS.WritableStream
  stdout: NodeJS.ReadableStream
  stderr: NodeJS.ReadableStream
}

function join(child: ChildProcess, channel: ServerChannel): void {
  const { stdin, stdout, stderr } = child as Piped
  channel.pipe(stdin)
  stdout.pipe(channel, { end: false })
  stderr.pipe(channel.stderr, { end: false })
  // The initiator may be gone before the daemon, and the daemon before the initiator: neither is an error of this end.
  stdin.on('error', () => {})
  channel.on('error', () => {})
  channel.on('close', () => stdin.end())
  child.on('error', error => {
    channel.stderr.write(`${error.message}\n`)
    channel.exit(127)
    channel.end()
  })
  child.on('close', (code, signal) => {
    if (channel.destroyed) return
    if (signal) channel.exit(signal.replace(/^SIG/, ''), false, '')
    else channel.exit(code ?? 255)
    channel.end()
  })
}
