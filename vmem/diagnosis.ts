import { majorVersion, minorVersion } from './version.js'
import { environmentLog, type VmemLog } from './vmem-log.js'

/** Functions that a program may put in the place of the library's own. Source: vmem_set_funcs(3). */
export interface VmemFunctions {
  /** Receives statistics and log lines; default standard error, or VMEM_LOG_FILE. Must not call Vmem. */
  readonly print?: ((text: string) => void) | undefined
}

let log: VmemLog | undefined
let functions: VmemFunctions = {}
let lastMessage = ''

const currentLog = (): VmemLog => {
  if (log) return log
  log = environmentLog()
  const program = process.argv[1] ?? process.argv0
  logLine(1, 'start', `pid ${process.pid}: ${program}, interface of libvmem ${majorVersion}.${minorVersion}`)
  return log
}

/** For this thread. What is left out gets its default back. */
export function setFuncs(replacements: VmemFunctions = {}): void {
  functions = replacements
}

export function print(text: string): void {
  const write = functions.print ?? currentLog().print
  write(text)
}

/** Whether lines of this level are wanted: VMEM_LOG_LEVEL, read when the thread first needs it. */
export function logs(level: number): boolean {
  return currentLog().level >= level
}

export function logLine(level: number, place: string, message: string): void {
  if (logs(level)) print(`<rpmem vmem>: <${level}> [${place}] ${message}\n`)
}

/** The same error, remembered for `errormsg` and logged. */
export function noted(place: string, error: unknown): unknown {
  lastMessage = error instanceof Error ? error.message : String(error)
  logLine(1, place, lastMessage)
  return error
}

/** The message of the last error of this thread, empty before the first. Source: vmem_errormsg(3). */
export function errormsg(): string {
  return lastMessage
}
