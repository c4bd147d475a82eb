import type { Operation } from './operation.js'

/** Lets the event loop have its turn, in long work that makes no call to wait for. */
export const pause: Operation = {
  run() {},
  start: () => ({ done: new Promise(resolve => setImmediate(resolve)), join: () => {} }),
}

/** Bytes that are read between two pauses. */
export const readingSize = 1024 * 1024
