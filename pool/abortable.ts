import { RpmemError } from '../core/index.js'

/** The work itself goes on; its failure is then nobody's but the pool's, which has taken note of it. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () =>
      reject(
        new RpmemError('ERR_ABORTED', 'the caller aborted the wait', { cause: signal.reason, durability: 'unknown' }),
      )
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
