import { performance } from 'node:perf_hooks'

/** Time as a port, so that a simulation can own it. Milliseconds, monotonic. */
export interface Clock {
  nowMs(): number
  /**
   * Calls back once after `delayMs`; the returned function cancels. A pending timer keeps the process alive only if it
   * `holds`: somebody awaits what it will bring.
   */
  after(delayMs: number, callback: () => void, holds?: 'holds'): () => void
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback, holds) {
    const timer = setTimeout(callback, delayMs)
    if (!holds) timer.unref()
    return () => clearTimeout(timer)
  },
}
