import { RpmemError } from '../core/index.js'
import { SystemError } from './native-failure.js'

/** The errors that every implementation of Memory shares, and the checks behind them. */

/** Largest window: typed arrays of Node 20 end there. */
export const maxViewLength = 2 ** 32 - 1

/** True if both are integers and [offset, offset + length) lies in [0, size). */
export function isRange(offset: number, length: number, size: number): boolean {
  return (
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset + length <= size
  )
}

export function outside(offset: number, length: number, size: number): RpmemError {
  const message = `offset ${offset} and length ${length} leave a memory of ${size} bytes`
  return new RpmemError('ERR_RANGE', message, { facts: { offset, length, size } })
}

export function tooLong(length: number): RpmemError {
  const message = `a view of ${length} bytes is too long for one typed array`
  return new RpmemError('ERR_RANGE', message, {
    facts: { length, limit: maxViewLength },
    hint: 'Take several views; each may begin anywhere in the memory.',
  })
}

/** A number that no range can have. */
export function requireNumbers(...numbers: readonly unknown[]): void {
  if (!numbers.every(number => Number.isSafeInteger(number) && Number(number) >= 0)) throw notNumbers()
}

export function requireByte(byte: unknown): void {
  if (!Number.isInteger(byte) || Number(byte) < 0 || Number(byte) > 255) throw notNumbers()
}

export function requireBytes(bytes: unknown): void {
  if (!(bytes instanceof Uint8Array)) throw notBytes()
}

export function notNumbers(): RpmemError {
  return new RpmemError('ERR_ARGUMENT', 'offsets and lengths are integers from 0 to 2^53 - 1, bytes from 0 to 255')
}

export function notBytes(): RpmemError {
  return new RpmemError('ERR_ARGUMENT', 'the bytes must be a Uint8Array')
}

export function notImages(): RpmemError {
  return new RpmemError('ERR_ARGUMENT', 'images of pages must be a Uint8Array of a multiple of 4096 bytes')
}

/** The storage refused just now; what the range holds on it is unknown. */
export function refused(code: number, offset: number, length: number): RpmemError {
  return RpmemError.wrap('ERR_MSYNC', 'the range could not be made durable', new SystemError(code, 'msync'), {
    facts: { offset, length },
    errno: code,
    durability: 'unknown',
  })
}

export function poisoned(cause?: unknown): RpmemError {
  const message = 'an earlier range could not be made durable'
  return new RpmemError('ERR_POOL_POISONED', message, {
    durability: 'unknown',
    ...(cause === undefined ? {} : { cause }),
  })
}

export function truncated(): RpmemError {
  const message = 'a page of the memory could not be read or written (SIGBUS)'
  return new RpmemError('ERR_POOL_TRUNCATED', message, { durability: 'unknown' })
}
