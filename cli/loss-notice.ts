import { type EventEmitter, once } from 'node:events'
import { RpmemError } from '../core/index.js'

/** Resolves at the pool's next 'replica-lost'. @throws ERR_DEADLINE if none comes within `limitMs` */
export async function lossNotice(pool: EventEmitter, limitMs: number): Promise<void> {
  const signal = AbortSignal.timeout(limitMs)
  try {
    await once(pool, 'replica-lost', { signal })
  } catch (error) {
    if (!signal.aborted) throw error
    throw new RpmemError('ERR_DEADLINE', `the loss of a target was not noticed within ${limitMs / 1000} s`, {
      facts: { limitMs },
      hint: "The pool should have emitted 'replica-lost'; that it did not is a defect of rpmem.",
    })
  }
}
