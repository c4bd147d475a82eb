import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, writeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { filteredLog, type Log, type LogLevel, logLevels, singleLine } from '../core/index.js'
import type { Settings } from './settings.js'

export interface DaemonLog extends Log {
  /** Resolves when what was written has left the process. */
  close(): Promise<void>
}

interface Sink {
  write(level: LogLevel, message: string): void
  close(): Promise<void>
}

/**
 * The log that the settings ask for. Standard output belongs to the protocol, so what cannot be opened is replaced by
 * standard error, which the initiator shows when something fails; one line there says why.
 */
export function openDaemonLog(settings: Settings, stderr: Writable, system: SystemLog = systemLog): DaemonLog {
  const sink = settings.useSyslog ? systemSink(system, stderr) : fileSink(settings.logFile, stderr)
  const log = filteredLog(settings.logLevel, sink)
  return { write: (level, message) => log.write(level, singleLine(message)), close: () => sink.close() }
}

const line = (level: LogLevel, message: string): string => `rpmemd[${process.pid}]: ${level}: ${message}\n`

const streamSink = (stream: Writable): Sink => ({
  write: (level, message) => void stream.write(line(level, message)),
  close: async () => {},
})

function fileSink(path: string, stderr: Writable): Sink {
  try {
    const fd = openSync(path, 'a', 0o640)
    return {
      write: (level, message) => append(fd, `${new Date().toISOString()} ${line(level, message)}`, stderr),
      close: async () => closeSync(fd),
    }
  } catch (cause) {
    return insteadOf(`log file ${path}`, cause instanceof Error ? cause.message : String(cause), stderr)
  }
}

/** A full disk under the log must not end a session. */
function append(fd: number, text: string, stderr: Writable): void {
  try {
    writeSync(fd, text)
  } catch {
    stderr.write(text)
  }
}

function insteadOf(wanted: string, reason: string, stderr: Writable): Sink {
  const sink = streamSink(stderr)
  sink.write('warn', singleLine(`the ${wanted} cannot be used (${reason}); logging to standard error`))
  return sink
}

/** How the system log is reached. */
export interface SystemLog {
  /** Without it there is no system log on this machine. */
  readonly socket: string
  /** logger(1) or its like. */
  readonly command: string
}

const systemLog: SystemLog = { socket: '/dev/log', command: 'logger' }
const facilityUser = 1
const severityOfErr = 3

/**
 * Node has no datagram sockets of the local family, so the system log is reached through logger(1), one process that is
 * started with the first message and ends with our end of its input.
 */
function systemSink({ socket, command }: SystemLog, stderr: Writable): Sink {
  let input: Writable | undefined
  let fallback: Sink | undefined
  const start = (): Writable => {
    const child = spawn(command, ['--tag', 'rpmemd', `--id=${process.pid}`, '--prio-prefix'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    child.on('error', cause => {
      fallback = insteadOf('system log', cause.message, stderr)
    })
    child.stdin.on('error', () => {})
    child.unref()
    return child.stdin
  }
  return {
    write(level, message) {
      if (!input && !fallback && !existsSync(socket)) fallback = insteadOf('system log', `${socket} is missing`, stderr)
      if (fallback) return fallback.write(level, message)
      input ??= start()
      input.write(`<${facilityUser * 8 + severityOfErr + logLevels.indexOf(level)}>${level}: ${message}\n`)
    },
    close: async () => {
      const stream = input
      if (stream && !stream.destroyed) await new Promise<void>(resolve => stream.end(() => resolve()))
    },
  }
}
