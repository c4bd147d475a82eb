import { appendFileSync } from 'node:fs'
import { describe, filteredLog, type Log, type LogLevel, silentLog, singleLine } from '../core/index.js'

export interface LogPlace {
  /** Undefined: nothing is logged. */
  readonly logLevel: LogLevel | undefined
  /** Undefined: standard error. A name that ends with `-` gets the process id, as in librpmem(7). */
  readonly logFile: string | undefined
}

/**
 * The log that RPMEM_LOG_LEVEL and RPMEM_LOG_FILE, or the options of these names, ask for. A line costs a write of its own:
 * what is logged happens once a session, or with an error, and not with every persist.
 */
export function initiatorLog({ logLevel, logFile }: LogPlace): Log {
  if (logLevel === undefined) return silentLog
  const write = logFile === undefined ? (line: string) => process.stderr.write(line) : intoFile(ownName(logFile))
  return filteredLog(logLevel, {
    write: (level, message) =>
      write(`${new Date().toISOString()} rpmem[${process.pid}]: ${level}: ${singleLine(message)}\n`),
  })
}

/** Logs how a call of the public face ends; the error goes on to the caller. */
export async function logged<T>(log: Log, call: string, work: Promise<T>): Promise<T> {
  try {
    const result = await work
    log.write('info', `${call}: done`)
    return result
  } catch (error) {
    logFailure(log, call, error)
    throw error
  }
}

export function logFailure(log: Log, call: string, error: unknown): void {
  log.write('err', `${call}: ${describe(error).join(': ')}`)
}

const ownName = (file: string): string => (file.endsWith('-') ? `${file}${process.pid}` : file)

/** A file that cannot be written says so once; logging never fails the program. */
function intoFile(file: string): (line: string) => void {
  let failed = false
  return line => {
    if (failed) return
    try {
      appendFileSync(file, line, { mode: 0o640 })
    } catch (error) {
      failed = true
      process.stderr.write(`rpmem: ${file} cannot be written: ${error instanceof Error ? error.message : error}\n`)
    }
  }
}
