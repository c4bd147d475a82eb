import { RpmemError } from '../core/index.js'

/** Everything a command may know of the world around it, so that a test can be that world. */
export interface Io {
  /** What was asked for. */
  out(text: string): void
  /** Errors, remarks and progress. */
  err(text: string): void
  /** Whether a person watches standard error: progress is drawn only then. */
  readonly terminal: boolean
  /** Whether standard output and error take colours. */
  readonly colors: boolean
  /** Columns of the terminal, 80 in a pipe. */
  readonly columns: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Fires on the first SIGINT or SIGTERM; a command then cleans up and ends. */
  readonly signal: AbortSignal
}

const interrupted = (name: string): RpmemError =>
  new RpmemError('ERR_ABORTED', `interrupted by ${name}`, { hint: 'What was begun was undone.' })

/** The process as a world. A second signal ends it at once, as people expect. */
export function processIo(): Io {
  const { stdout, stderr, env } = process
  const abort = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort(interrupted(name)))
  // A reader such as head may close the pipe early.
  stdout.on('error', () => {})
  return {
    out: text => void stdout.write(text),
    err: text => void stderr.write(text),
    terminal: stderr.isTTY === true,
    colors: stdout.isTTY === true && stderr.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb',
    columns: stdout.columns ?? 80,
    env,
    signal: abort.signal,
  }
}
