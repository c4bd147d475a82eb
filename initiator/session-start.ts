import type { Clock } from '../core/index.js'
import { ControlChannel } from './control-channel.js'
import { PmdkSession } from './pmdk-session.js'
import { sessionCommand } from './remote-command.js'
import type { RemoteShell } from './remote-shell.js'
import { RpmemSession } from './rpmem-session.js'
import type { Session } from './session.js'
import { aborted } from './ssh-failure.js'

export interface SessionOptions {
  readonly shell: RemoteShell
  /** Remote command without arguments. */
  readonly command: string
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
  /** For librpmem's -4 with the sockets provider. */
  readonly family?: 4 | undefined
  /** Until the daemon's first word; default 20 s. */
  readonly startDeadlineMs?: number | undefined
  /** Create and open; default 60 s. */
  readonly openDeadlineMs?: number | undefined
  /** Every other answer; default 10 s. */
  readonly answerDeadlineMs?: number | undefined
}

/** Launches the daemon, recognises its dialect and, between our own ends, agrees on a version. */
export async function startSession(options: SessionOptions): Promise<Session> {
  const { shell, command, clock, signal, family } = options
  const process = await shell.launch(sessionCommand(command), { signal, family })
  const channel = new ControlChannel(process, {
    clock,
    name: shell.name,
    command,
    external: shell.external,
    startDeadlineMs: options.startDeadlineMs ?? 20_000,
  })
  const deadlines = { openMs: options.openDeadlineMs ?? 60_000, answerMs: options.answerDeadlineMs ?? 10_000 }
  const dialect = await channel.recognise(signal)
  if (dialect === 'pmdk') return new PmdkSession(channel, clock, deadlines)
  const abort = () => channel.fail(aborted(signal as AbortSignal))
  signal?.addEventListener('abort', abort, { once: true })
  try {
    return await RpmemSession.start(channel, clock, deadlines)
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}
