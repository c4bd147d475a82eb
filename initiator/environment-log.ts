import { appendFileSync } from 'node:fs'
import { filteredLog, type Log, silentLog } from '../core/index.js'
import type { Environment } from './environment.js'

/**
 * The log that RPMEM_LOG_LEVEL and RPMEM_LOG_FILE ask for: lines to the file, or to standard error. Without a level nothing
 * is written. A line costs a write of its own: what is logged happens once a session and not once a persist.
 */
export function environmentLog({ logLevel, logFile }: Environment): Log {
  if (logLevel === undefined) return silentLog
  const write = logFile === undefined ? (line: string) => process.stderr.write(line) : intoFile(logFile)
  return filteredLog(logLevel, {
    write: (level, message) => write(`${new Date().toISOString()} rpmem[${process.pid}]: ${level}: ${message}\n`),
  })
}

/** A file that cannot be written says so once; logging never fails the program. */
function intoFile(file: string): (line: string) => void {
  let failed = false
  return line => {
    if (failed) return
    try {
      appendFileSync(file, line)
    } catch (error) {
      failed = true
      process.stderr.write(`rpmem: ${file} cannot be written: ${error instanceof Error ? error.message : error}\n`)
    }
  }
}
