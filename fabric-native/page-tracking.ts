import { RpmemError } from '../core/index.js'
import { type Tracking, type TrackingReason, trackings } from './arena-memory.js'
import { loadBinding } from './binding.js'
import type { MemoryHandle } from './memory-binding.js'
import { isNativeFailure, systemError } from './native-failure.js'

export interface PageTracking {
  readonly tracking: Tracking
  readonly reasons: readonly TrackingReason[]
}

/**
 * Follows the changed pages of a memory by the first of `candidates` that this machine has.
 * @throws ERR_TRACKING: it has none of them
 */
export function trackPages(memory: MemoryHandle, candidates: readonly Tracking[]): PageTracking {
  const reasons: TrackingReason[] = []
  let refusal: unknown
  for (const tracking of trackings) {
    if (!candidates.includes(tracking)) reasons.push(lost(tracking, 'another one was asked for'))
    else if (reasons.some(reason => reason.chosen)) reasons.push(lost(tracking, 'a better one was found'))
    else {
      const failure = attempt(memory, tracking)
      refusal ??= failure
      reasons.push(failure === undefined ? won(tracking, candidates) : lost(tracking, failure.message))
    }
  }
  const chosen = reasons.find(reason => reason.chosen)
  if (chosen !== undefined) return { tracking: chosen.tracking, reasons }
  throw RpmemError.wrap('ERR_TRACKING', 'changed pages cannot be found in the way that was asked for', refusal, {
    facts: { reasons: reasons.map(({ tracking, why }) => `${tracking}: ${why}`).join('; ') },
  })
}

function attempt(memory: MemoryHandle, tracking: Tracking): Error | undefined {
  try {
    loadBinding().trackPages(memory, trackings.indexOf(tracking))
  } catch (cause) {
    if (isNativeFailure(cause)) return systemError(cause) as Error
    throw cause
  }
  return undefined
}

const lost = (tracking: Tracking, why: string): TrackingReason => ({ tracking, chosen: false, why })

const won = (tracking: Tracking, candidates: readonly Tracking[]): TrackingReason => ({
  tracking,
  chosen: true,
  why: candidates.length === 1 ? 'it was asked for' : 'the best that this machine has',
})
