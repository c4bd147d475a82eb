import { closeSync, openSync, writeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { filteredLog, type Log, type LogLevel, singleLine } from '../core/index.js'
import type { Settings } from './settings.js'
import { type SystemLog, SystemLogSink, systemLog } from './system-log.js'

export interface DaemonLog extends Log {
  /** Resolves when what was written has left the process. */
  close(): Promise<void>
}

export interface Sink {
  write(level: LogLevel, message: string): void
  close(): Promise<void>
}

/**
 * The log that the settings ask for. Standard output belongs to the protocol, so what cannot be opened is replaced by
 * standard error, which the initiator shows when something fails; one line there says why.
 */
export function openDaemonLog(settings: Settings, stderr: Writable, system: SystemLog = systemLog): DaemonLog {
  const sink = settings.useSyslog
    ? new SystemLogSink(system, reason => insteadOf('system log', reason, stderr))
    : fileSink(settings.logFile, stderr)
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
