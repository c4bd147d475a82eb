import type { Readable, Writable } from 'node:stream'
import type { RpmemError } from '../core/index.js'

/** A way to run commands on a target: the built-in SSH client, an external one, or a local process in tests. */
export interface RemoteShell {
  /** For people: 'user@node2:22'. */
  readonly name: string
  /** A program of its own stands between: its exit code 255 is its own failure, not the command's. */
  readonly external: boolean
  /**
   * Runs one command line without a terminal. Resolves once the command was started as far as the client can know; rejects
   * with the ERR_SSH_… or ERR_HOST_… error that says why it could not. The signal ends the attempt.
   */
  launch(command: string, options?: LaunchOptions): Promise<RemoteProcess>
}

export interface LaunchOptions {
  readonly signal?: AbortSignal | undefined
  /** 4: only IPv4, as librpmem asks for with the sockets provider. */
  readonly family?: 4 | undefined
}

export interface RemoteProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** Settles once all output was delivered; never rejects. */
  readonly ended: Promise<RemoteEnd>
  /** Address of the other end of the SSH connection, if it is the target itself and known. */
  readonly peerAddress: string | undefined
  /** Lets the process of this program end although the connection is open. */
  unref(): void
  /** Ends the connection at once, whatever the command does. Idempotent. */
  kill(): void
}

/** How a remote command ended. Without exit code and signal the connection broke. */
export interface RemoteEnd {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  /** Why the connection broke, where the client knows. */
  readonly error?: RpmemError | undefined
}
