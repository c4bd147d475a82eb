import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import ssh2, { type Client } from 'ssh2'
import { type RpmemError, systemCode } from '../core/index.js'
import { sshAnswer } from './ssh-answer.js'
import { Authentication } from './ssh-authentication.js'
import { describeHost, type HostConfig } from './ssh-config.js'
import { aborted, connectFailure, unreachable } from './ssh-failure.js'
import { HostKeyCheck } from './ssh-host-key.js'
import { gatherIdentities, type IdentitySources } from './ssh-identity.js'

export interface ConnectionOptions extends IdentitySources {
  readonly signal?: AbortSignal | undefined
  readonly family?: 4 | undefined
  readonly connectTimeoutMs: number
}

/** An authenticated SSH connection to the last host of a chain of jumps. */
export interface SshConnection {
  readonly client: Client
  /** The TCP connection of the first hop: it holds the process open or not. */
  readonly socket: Socket
  /** Address of the target, if it is connected without a jump. */
  readonly peerAddress: string | undefined
  /** Ends all hops at once. Idempotent. */
  end(): void
}

/** Connects through each host of the chain to the next; the last is the target. */
export async function connectChain(hosts: readonly HostConfig[], options: ConnectionOptions): Promise<SshConnection> {
  const [first, ...further] = hosts as [HostConfig, ...HostConfig[]]
  const socket = await openSocket(first, options)
  const clients: Client[] = []
  const end = () => {
    for (const client of clients) client.end()
    socket.destroy()
  }
  try {
    let client = await authenticate(first, socket, options)
    clients.unshift(client)
    for (const host of further) {
      client = await authenticate(host, await forward(client, host, options), options)
      clients.unshift(client)
    }
    return { client, socket, peerAddress: further.length === 0 ? socket.remoteAddress : undefined, end }
  } catch (error) {
    end()
    throw error
  }
}

function openSocket(host: HostConfig, options: ConnectionOptions): Promise<Socket> {
  const target = describeHost(host)
  const timeoutMs = host.connectTimeoutMs ?? options.connectTimeoutMs
  return new Promise((resolve, reject) => {
    const family = options.family ?? host.family
    const socket = connect({ host: host.host, port: host.port, family, noDelay: true })
    const settle = (error?: RpmemError) => {
      options.signal?.removeEventListener('abort', abort)
      clearTimeout(timer)
      socket.removeListener('error', fail)
      if (!error) return resolve(socket)
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const abort = () => settle(aborted(options.signal as AbortSignal))
    const fail = (cause: Error) => settle(connectFailure(target, cause))
    const timer = setTimeout(() => settle(unreachable(target, `no connection within ${timeoutMs} ms`)), timeoutMs)
    socket.once('connect', () => settle()).once('error', fail)
    options.signal?.addEventListener('abort', abort, { once: true })
    if (options.signal?.aborted) abort()
  })
}

function forward(client: Client, host: HostConfig, options: ConnectionOptions): Promise<Duplex> {
  return sshAnswer<Duplex>(done => client.forwardOut('127.0.0.1', 0, host.host, host.port, done), {
    target: describeHost(host),
    late: 'the jump host did not reach it',
    refused: 'the jump host cannot reach it',
    timeoutMs: host.connectTimeoutMs ?? options.connectTimeoutMs,
    signal: options.signal,
  })
}

/** Fast ones first: each is supported by every sshd of the last ten years. */
const algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group16-sha512',
  ],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes256-ctr'],
  compress: ['none'],
}

function authenticate(host: HostConfig, sock: Duplex, options: ConnectionOptions): Promise<Client> {
  const hostKey = new HostKeyCheck(host)
  const authentication = new Authentication(host, gatherIdentities(host, options))
  const client = new ssh2.Client()
  return new Promise((resolve, reject) => {
    let stage: 'handshake' | 'authentication' = 'handshake'
    const settle = (error?: RpmemError) => {
      options.signal?.removeEventListener('abort', abort)
      client.removeListener('error', fail).removeListener('close', closed)
      // After this nobody listens for errors of the connection; its end is told by 'close'.
      client.on('error', () => {})
      if (!error) return resolve(client)
      client.destroy()
      reject(error)
    }
    const abort = () => settle(aborted(options.signal as AbortSignal))
    const failure = (cause?: Error) => {
      if (hostKey.failure) return hostKey.failure
      if (stage === 'authentication' && !isSocketError(cause)) return authentication.failure(cause)
      return unreachable(describeHost(host), `the SSH ${stage} failed`, cause)
    }
    const fail = (cause: Error) => settle(failure(cause))
    const closed = () => settle(failure())
    client
      .once('ready', () => settle())
      .on('error', fail)
      .on('close', closed)
    client.once('handshake', () => {
      stage = 'authentication'
    })
    options.signal?.addEventListener('abort', abort, { once: true })
    if (options.signal?.aborted) return abort()
    client.connect({
      sock: sock as never,
      username: host.user,
      readyTimeout: host.connectTimeoutMs ?? options.connectTimeoutMs,
      hostVerifier: (key: Buffer) => hostKey.accept(key),
      authHandler: authentication.handler,
      algorithms: { ...algorithms, serverHostKey: hostKey.algorithms() } as never,
    })
  })
}

const isSocketError = (cause: unknown): boolean =>
  systemCode(cause) !== undefined || (cause instanceof Error && 'level' in cause && cause.level === 'client-timeout')
