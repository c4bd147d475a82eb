import { RpmemError } from '../core/index.js'

/** ERR_TARGET_LOST, for what was under way: whether the target has it nobody knows. */
export function lossOf(pool: string, cause: Error): RpmemError {
  return RpmemError.wrap('ERR_TARGET_LOST', `${pool}: the target was lost: ${cause.message}`, cause, {
    facts: { pool, ...(cause instanceof RpmemError ? cause.facts : {}) },
    durability: 'unknown',
  })
}
