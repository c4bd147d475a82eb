import { type Clock, systemClock } from '../../core/index.js'

/** An emulated processor is some ten times slower than a real one: a second means there what a tenth means elsewhere. */
const slowness = 10

export const slowClock: Clock = {
  nowMs: () => systemClock.nowMs() / slowness,
  after: (delayMs, callback, holds) => systemClock.after(delayMs * slowness, callback, holds),
}
