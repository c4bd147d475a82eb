import { alignUp, GiB, pageSize, RpmemError } from '../core/index.js'
import type { Tracking } from '../fabric-native/index.js'
import { type ArenaReplicationOptions, type ReplicationSettings, replicationSettings } from './replication.js'

export interface ArenaOptions extends ArenaReplicationOptions {
  /** Least size in bytes, rounded up to 4096; a smaller arena is enlarged. Needed to create one. */
  readonly size?: number
  /** Bytes up to which `extend` can go; costs addresses only. Default: four times the size, at least 16 GiB. */
  readonly maxSize?: number
  /** Share of the arena above which the log is folded into the data file; default 0.5. `checkpoint` can name another. */
  readonly ratio?: number
  /** How many of the last checkpoints can be opened and restored, the newest included; default 1. */
  readonly keep?: number
  /** Demand a way of finding changed pages, instead of the cheapest that there is. */
  readonly tracking?: Tracking
  /** Whether the data file is compared with its checksums, for which it is read as a whole; default true. */
  readonly verify?: boolean
}

export interface CheckpointOptions {
  /** Instead of the ratio of the arena: 0 folds after this checkpoint. */
  readonly ratio?: number
}

/** Checked options. */
export interface ArenaSettings {
  readonly size: number | undefined
  readonly maxSize: number | undefined
  readonly ratio: number
  readonly keep: number
  readonly tracking: Tracking | undefined
  readonly verify: boolean
  readonly replication: ReplicationSettings
}

/** @throws ERR_ARGUMENT */
export function arenaSettings(options: ArenaOptions): ArenaSettings {
  const { size, maxSize, ratio = 0.5, keep = 1, tracking, verify = true, replicaCapacity } = options
  if (size !== undefined) requireCount('size', size, 1)
  if (maxSize !== undefined) requireCount('maxSize', maxSize, size ?? 1)
  requireCount('keep', keep, 1)
  if (replicaCapacity !== undefined) requireCount('replicaCapacity', replicaCapacity, size ?? 1)
  return {
    size: size && alignUp(size, pageSize),
    maxSize: maxSize && alignUp(maxSize, pageSize),
    ratio: checkedRatio(ratio),
    keep,
    tracking,
    verify,
    replication: replicationSettings(options),
  }
}

/** @throws ERR_ARGUMENT */
export function checkedRatio(ratio: number): number {
  if (typeof ratio === 'number' && ratio >= 0 && ratio <= maxRatio) return ratio
  const facts = { ratio: String(ratio), most: maxRatio }
  throw new RpmemError('ERR_ARGUMENT', `ratio is a number from 0 to ${maxRatio}`, { facts })
}

/** The log must not grow without bound. */
const maxRatio = 16

/** Bytes of addresses for an arena of this size. */
export const reservationFor = (size: number, maxSize: number | undefined): number =>
  Math.max(size, maxSize ?? Math.max(4 * size, 16 * GiB))

export function requireCount(name: string, value: unknown, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return
  throw new RpmemError('ERR_ARGUMENT', `${name} is an integer from ${least} to 2^53 - 1`, {
    facts: { name, least, value: String(value) },
  })
}
