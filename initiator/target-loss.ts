import { RpmemError } from '../core/index.js'

/** What is persisted is safe already: a target that does not answer the close is not waited for any longer. */
export const goodbyeMs = 3000

/** ERR_TARGET_LOST, for what was under way: whether the target has it nobody knows. */
export function lossOf(pool: string, cause: Error): RpmemError {
  return RpmemError.wrap('ERR_TARGET_LOST', `${pool}: the target was lost: ${cause.message}`, cause, {
    facts: { pool, ...(cause instanceof RpmemError ? cause.facts : {}) },
    durability: 'unknown',
  })
}

/** The same loss for a call that came too late: it has begun nothing. */
export function lostBefore(loss: RpmemError): RpmemError {
  const { code, message, facts } = loss
  return RpmemError.wrap(code, message, loss, { facts, durability: 'none' })
}

export const silenceOf = (silentMs: number): RpmemError =>
  new RpmemError('ERR_DEADLINE', `the target has been silent for ${silentMs} ms`)

export const lateClose = (deadlineMs: number): RpmemError =>
  new RpmemError('ERR_DEADLINE', `the target lives but did not close the pool within ${deadlineMs} ms`)
