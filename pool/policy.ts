import { RpmemError } from '../core/index.js'
import type { DurabilityMethod } from '../fabric-native/index.js'

/**
 * How far a replica has got with a range. `received`: its memory holds it, which survives the process and not the machine.
 * `durable`: its storage holds it. `deep`: down to the lowest domain that software reaches.
 */
export type Level = 'none' | 'received' | 'durable' | 'deep'

/** What a persist needs in order to succeed, and what happens when a replica is lost. */
export interface Policy {
  /**
   * How many replicas must hold the range, the master counted, 1 … all. Default: all; with `degrade` 1.
   */
  readonly minDurable?: number
  /** What a replica must have reached in order to count. Default `received`: whatever its storage can. */
  readonly level?: Exclude<Level, 'none'>
  /**
   * When fewer than `minDurable` replicas hold the range: `throw` rejects with PersistError at once; `suspend` waits for
   * replicas to come back, at most `suspendMs`, and rejects then (the Sync forms cannot wait and reject at once). `degrade` is
   * `throw` with a default of 1 for `minDurable`. Default `throw`.
   */
  readonly onReplicaLost?: 'throw' | 'degrade' | 'suspend'
  /** Default 30 s. */
  readonly suspendMs?: number
  /**
   * Milliseconds until every replica has answered or counts as lost, of calls that name no deadline of their own; default 3000, or
   * what the connections were given. A suspended call waits `suspendMs` longer.
   */
  readonly deadlineMs?: number
  /** How many of the promise forms may be under way at once, at least 1; default 1024. */
  readonly mostPending?: number
  /**
   * What happens to one more: `block` begins it when one has ended, and rejects with ERR_CONGESTED if that takes longer than the
   * deadline; `fail` rejects at once. Default `block`. Nothing of a call that is rejected so was begun anywhere.
   */
  readonly onCongestion?: 'block' | 'fail'
}

/** A policy for a pool of so many replicas, with everything decided. */
export interface Terms {
  readonly minDurable: number
  readonly level: Exclude<Level, 'none'>
  readonly suspendMs: number
  readonly deadlineMs: number | undefined
}

/** ERR_ARGUMENT for a policy that no persist could ever meet. */
export function termsOf(policy: Policy, replicas: number): Terms {
  const { onReplicaLost = 'throw', level = 'received' } = policy
  const minDurable = policy.minDurable ?? (onReplicaLost === 'degrade' ? 1 : replicas)
  if (!Number.isInteger(minDurable) || minDurable < 1 || minDurable > replicas) {
    throw new RpmemError('ERR_ARGUMENT', `minDurable is a whole number from 1 to ${replicas}, not ${minDurable}`, {
      facts: { minDurable, replicas },
    })
  }
  const suspendMs = onReplicaLost === 'suspend' ? (policy.suspendMs ?? 30_000) : 0
  if (!(suspendMs >= 0)) throw new RpmemError('ERR_ARGUMENT', 'suspendMs is a time', { facts: { suspendMs } })
  const { deadlineMs, mostPending } = policy
  for (const [name, value] of Object.entries({ deadlineMs, mostPending })) {
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value < 2 ** 31)) continue
    throw new RpmemError('ERR_ARGUMENT', `${name} is a whole number of at least 1`, { facts: { [name]: value } })
  }
  return { minDurable, level, suspendMs, deadlineMs }
}

/** What a persist on storage of this method reaches. */
export function levelOf(method: DurabilityMethod, deep: boolean): Exclude<Level, 'none'> {
  if (method === 'volatile') return 'received'
  return deep ? 'deep' : 'durable'
}

const order: readonly Level[] = ['none', 'received', 'durable', 'deep']
export const reaches = (level: Level, wanted: Level): boolean => order.indexOf(level) >= order.indexOf(wanted)
