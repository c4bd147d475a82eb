import { appendFileSync } from 'node:fs'

/** Levels of libvmem(7): 1 errors, 2 basic operations, 3 calls, 4 allocations and frees. Statistics are printed at any level. */
export type VmemLogLevel = 0 | 1 | 2 | 3 | 4

export interface VmemLog {
  readonly level: number
  readonly print: (text: string) => void
}

/**
 * The log that VMEM_LOG_LEVEL and VMEM_LOG_FILE ask for. A name that ends in "-" gets the process id. A file that cannot be
 * written says so once and is given up; logging never fails the program, where libvmem would abort it.
 */
export function environmentLog(environment: NodeJS.ProcessEnv = process.env): VmemLog {
  const level = Math.max(0, Math.trunc(Number(environment.VMEM_LOG_LEVEL ?? 0)) || 0)
  const file = environment.VMEM_LOG_FILE
  return { level, print: file ? intoFile(file.endsWith('-') ? `${file}${process.pid}` : file) : toStandardError }
}

const toStandardError = (text: string): void => {
  process.stderr.write(text)
}

function intoFile(file: string): (text: string) => void {
  let print = (text: string): void => {
    try {
      appendFileSync(file, text)
    } catch (error) {
      toStandardError(`rpmem: ${file} cannot be written: ${error instanceof Error ? error.message : error}\n`)
      print = toStandardError
      print(text)
    }
  }
  return text => print(text)
}
