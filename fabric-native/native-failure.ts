import { getSystemErrorName } from 'node:util'
import type { NativeFailure } from './memory-binding.js'

/** The shape of Node's own system errors, so that a cause reads alike wherever it comes from. */
export class SystemError extends Error {
  readonly code: string
  readonly errno: number
  readonly syscall: string

  constructor(number: number, syscall: string, detail?: string) {
    const code = systemErrorName(number)
    super(detail === undefined ? `${code}: ${syscall}` : `${code}: ${syscall}: ${detail}`)
    this.code = code
    this.errno = -number
    this.syscall = syscall
  }
}

export function isNativeFailure(value: unknown): value is NativeFailure {
  return value instanceof Error && 'syscall' in value && 'code' in value && typeof value.code === 'number'
}

/** An error of the addon as a system error; anything else unchanged. */
export function systemError(value: unknown): unknown {
  return isNativeFailure(value) ? new SystemError(value.code, value.syscall, value.message) : value
}

function systemErrorName(number: number): string {
  return number > 0 ? getSystemErrorName(-number) : `errno ${number}`
}
