import { type Durability, describe, hasCode, RpmemError } from '../core/index.js'

/** One replica that has not confirmed. */
export interface ReplicaFailure {
  readonly replica: string
  readonly error: unknown
}

/**
 * ERR_PERSIST: not every replica has confirmed the range. `durability` is `local` if the master has it for certain, `unknown`
 * if it has not but a target may, `none` if nothing was begun anywhere.
 */
export class PersistError extends RpmemError {
  /** One entry for each replica that failed, the master first. */
  readonly causes: readonly ReplicaFailure[]

  constructor(causes: readonly ReplicaFailure[], durability: Durability) {
    const replicas = causes.map(({ replica }) => replica)
    const reasons = causes.map(({ replica, error }) => `${replica}: ${describe(error)[0]}`)
    super('ERR_PERSIST', `not durable on ${reasons.join('; ')}`, {
      cause: causes[0]?.error,
      facts: { replicas },
      durability,
    })
    this.causes = causes
  }
}

/** Mistakes of the call and the caller's own change of mind say nothing about the replica. */
export const isFailureOfReplica = (error: unknown): boolean =>
  !hasCode(error, 'ERR_ABORTED', 'ERR_ARGUMENT', 'ERR_RANGE', 'ERR_LANE_RANGE', 'ERR_HEADER_PROTECTED', 'ERR_CLOSED')
