import type { RpmemError } from '../core/index.js'

export interface RemotePoolEvents {
  /** Once, with the reason: the target is dead, stopped or cut off. Every call fails from here on. */
  lost: [error: RpmemError]
  closed: []
}

/** How one call is carried out. Source: the lane and flags arguments of rpmem_persist(3). */
export interface RemoteOperation {
  /** 0 … laneCount - 1; default `defaultLane`. Lanes are unordered among themselves: callers that should not wait for each other name different ones. */
  readonly lane?: number
  /** Give up that aligned 8 bytes become durable as one (RPMEM_PERSIST_RELAXED, RPMEM_FLUSH_RELAXED). */
  readonly relaxed?: boolean
  /** Milliseconds until the call settles; default as given to create or open. */
  readonly deadlineMs?: number
}

export interface RemoteWait extends RemoteOperation {
  /** Ends the wait with ERR_ABORTED; what was sent may still become durable. */
  readonly signal?: AbortSignal
}
