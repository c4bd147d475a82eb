import { RpmemError } from '../core/index.js'

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
