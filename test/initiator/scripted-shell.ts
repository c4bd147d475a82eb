import { PassThrough } from 'node:stream'
import type { RemoteEnd, RemoteProcess, RemoteShell } from '../../initiator/index.js'

/** The far end of a scripted process: what a daemon sees and does. */
export interface FarEnd {
  readonly command: string
  /** What the initiator writes. */
  readonly input: PassThrough
  readonly output: PassThrough
  readonly errors: PassThrough
  /** The initiator broke the connection. */
  readonly killed: Promise<void>
  exit(end: RemoteEnd): void
}

/** A shell whose commands are played by a function. */
export class ScriptedShell implements RemoteShell {
  readonly name = 'me@node2'
  external = false
  readonly commands: string[] = []
  unreferenced = 0
  readonly #play: (end: FarEnd) => void

  constructor(play: (end: FarEnd) => void) {
    this.#play = play
  }

  async launch(command: string): Promise<RemoteProcess> {
    this.commands.push(command)
    const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()]
    const ended = deferred<RemoteEnd>()
    const killed = deferred<void>()
    const exit = (end: RemoteEnd) => {
      output.end()
      errors.end()
      // As an SSH channel: the end is told after all output.
      setImmediate(() => ended.resolve(end))
    }
    this.#play({ command, input, output, errors, killed: killed.promise, exit })
    return {
      stdin: input,
      stdout: output,
      stderr: errors,
      ended: ended.promise,
      peerAddress: '127.0.0.1',
      unref: () => {
        this.unreferenced++
      },
      kill: () => {
        killed.resolve()
        ended.resolve({})
      },
    }
  }
}

/** Writes these bytes, tells this on standard error, and ends so. */
export const saying = (output: string | Uint8Array, errors = '', end?: RemoteEnd): ScriptedShell =>
  new ScriptedShell(far => {
    if (errors !== '') far.errors.write(errors)
    if (output.length > 0) far.output.write(output)
    if (end) far.exit(end)
  })

function deferred<T>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}
