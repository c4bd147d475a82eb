import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

/** A process that runs a program of this folder; it never outlives its test. */
export class Child {
  readonly process: ChildProcess
  readonly lines: AsyncIterator<string>
  /** What it wrote to its standard error. */
  errors = ''
  /** Exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals>

  /** What the test runner loads into every process would take hold of its signals, hence without NODE_OPTIONS. */
  constructor(t: Test, program: string, args: readonly string[], before: readonly string[] = []) {
    const path = fileURLToPath(new URL(program, import.meta.url))
    const [command = '', ...rest] = [...before, 'env', '--unset=NODE_OPTIONS', process.execPath, path, ...args]
    const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.process = child
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    child.stderr.on('data', (chunk: Buffer) => {
      this.errors += chunk
    })
    this.ended = once(child, 'close').then(([code, signal]) => code ?? signal)
    t.teardown(() => child.kill('SIGKILL'))
  }

  /** The next line that it says; undefined at the end. */
  async line(): Promise<string | undefined> {
    return (await this.lines.next()).value
  }
}
