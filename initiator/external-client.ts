import { spawn } from 'node:child_process'
import { RpmemError } from '../core/index.js'
import type { TargetAddress } from './address.js'
import type { LaunchOptions, RemoteEnd, RemoteProcess, RemoteShell } from './remote-shell.js'
import { aborted } from './ssh-failure.js'

/**
 * The program that RPMEM_SSH names, found in PATH and called as librpmem calls it: program, -p port, -T, -4, BatchMode, node,
 * command. No shell takes part on this side, and the child inherits nothing but its three pipes.
 */
export class ExternalClient implements RemoteShell {
  readonly name: string
  readonly external = true
  readonly #program: string
  readonly #address: TargetAddress

  constructor(program: string, address: TargetAddress) {
    this.#program = program
    this.#address = address
    this.name = `${node(address)} by ${program}`
  }

  launch(command: string, { signal, family }: LaunchOptions = {}): Promise<RemoteProcess> {
    const child = spawn(this.#program, externalArguments(this.#address, command, family), { stdio: 'pipe' })
    const ended = new Promise<RemoteEnd>(resolve => {
      child.once('close', (code, end) => resolve({ exitCode: code ?? undefined, signal: end ?? undefined }))
    })
    // A write to a client that is gone fails; the end of the child says it better.
    child.stdin.on('error', () => {})
    const process: RemoteProcess = {
      stdin: child.stdin,
      stdout: child.stdout,
      stderr: child.stderr,
      ended,
      peerAddress: undefined,
      unref() {
        child.unref()
        for (const pipe of [child.stdin, child.stdout, child.stderr]) if ('unref' in pipe) (pipe.unref as () => void)()
      },
      kill: () => void child.kill('SIGKILL'),
    }
    return new Promise((resolve, reject) => {
      const abort = () => {
        process.kill()
        reject(aborted(signal as AbortSignal))
      }
      signal?.addEventListener('abort', abort, { once: true })
      child.once('spawn', () => {
        signal?.removeEventListener('abort', abort)
        resolve(process)
      })
      child.once('error', cause => reject(notStarted(this.#program, cause)))
    })
  }
}

/** The argument vector of librpmem, without the program. */
export function externalArguments(address: TargetAddress, command: string, family?: 4): string[] {
  const port = address.port === undefined ? [] : ['-p', String(address.port)]
  return [...port, '-T', ...(family === 4 ? ['-4'] : []), '-oBatchMode=yes', node(address), command]
}

const node = ({ user, host }: TargetAddress): string => (user === undefined ? host : `${user}@${host}`)

function notStarted(program: string, cause: unknown): RpmemError {
  return RpmemError.wrap('ERR_SSH_CLIENT', `the external ssh client ${program} cannot be started`, cause, {
    facts: { program },
    hint: 'RPMEM_SSH takes one program name, found in PATH, and no arguments.',
  })
}
