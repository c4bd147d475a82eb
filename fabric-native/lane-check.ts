import { RpmemError } from '../core/index.js'

/** What every implementation of Lanes refuses before it sends anything. */
export interface LaneLimits {
  readonly count: number
  readonly size: number
}

export function checkLane(limits: LaneLimits, lane: number): void {
  if (Number.isInteger(lane) && lane >= 0 && lane < limits.count) return
  throw new RpmemError('ERR_LANE_RANGE', `lane ${lane} does not exist: there are ${limits.count}`, {
    facts: { lane, lanes: limits.count },
  })
}

export function checkRange(limits: LaneLimits, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length)
  if (whole && offset >= 0 && length >= 0 && offset + length <= limits.size) return
  throw new RpmemError('ERR_RANGE', `${length} bytes at offset ${offset} do not lie inside ${limits.size} bytes`, {
    facts: { offset, length, size: limits.size },
  })
}
