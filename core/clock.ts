import { performance } from 'node:perf_hooks'

/** Time as a port, so that a simulation can own it. Milliseconds, monotonic. */
export interface Clock {
  nowMs(): number
  /** Calls back once after `delayMs`; the returned function cancels. A pending timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref()
    return () => clearTimeout(timer)
  },
}
