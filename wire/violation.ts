import { type Fact, RpmemError } from '../core/index.js'

/** A peer broke the protocol: which message, which rule, and the values that show it. */
export function violation(message: string, rule: string, facts: Readonly<Record<string, Fact>> = {}): RpmemError {
  return new RpmemError('ERR_PROTOCOL', `${message}: ${rule}`, { facts: { message, rule, ...facts } })
}

/** Runs a reader of foreign bytes; what the layout engine refuses becomes a violation of the message. */
export function reading<T>(message: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof RpmemError) || error.code === 'ERR_PROTOCOL') throw error
    const facts = { message, rule: error.message, ...error.facts }
    throw RpmemError.wrap('ERR_PROTOCOL', `${message}: ${error.message}`, error, { facts })
  }
}
