import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { Channel } from './initiator.js'
import { Outlet } from './outlet.js'

const program = fileURLToPath(new URL('../../cli/rpmemd.js', import.meta.url))

/** The real daemon as sshd starts it: three pipes and SSH_CONNECTION. */
export class DaemonProcess implements Channel {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly input: Writable
  readonly ended: Promise<number | NodeJS.Signals>
  readonly #output: Outlet
  readonly #errors: Outlet

  constructor(t: Test, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [program, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: '/nowhere', SSH_CONNECTION: '127.0.0.1 1111 127.0.0.1 2222', ...env },
    })
    this.input = this.child.stdin
    this.input.on('error', () => {})
    this.#output = new Outlet(this.child.stdout)
    this.#errors = new Outlet(this.child.stderr)
    this.ended = once(this.child, 'exit').then(([code, signal]) => code ?? signal)
    t.teardown(() => this.child.kill('SIGKILL'))
  }

  read(count: number): Promise<Uint8Array> {
    return this.#output.read(count)
  }

  /** Everything that is left on standard output. */
  rest(): Promise<Uint8Array> {
    return this.#output.rest()
  }

  async errors(): Promise<string> {
    return Buffer.from(await this.#errors.rest()).toString()
  }
}
