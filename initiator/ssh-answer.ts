import { aborted, unreachable } from './ssh-failure.js'

export interface AnswerOptions {
  /** Who should answer, for the error. */
  readonly target: string
  /** What it does not do in time, for the error: 'it did not start the command'. */
  readonly late: string
  /** What it refuses, for the error. */
  readonly refused: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

type Done<T> = (error: Error | undefined, answer: T) => void

/**
 * The answer to one request of ssh2, which itself waits for ever. Without one in time, as when sshd was stopped after the
 * authentication, it is ERR_SSH_UNREACHABLE; the caller then ends the connection.
 */
export function sshAnswer<T>(ask: (done: Done<T>) => void, options: AnswerOptions): Promise<T> {
  const { target, late, refused, timeoutMs, signal } = options
  return new Promise<T>((resolve, reject) => {
    const settle = (settled: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      settled()
    }
    const abort = () => settle(() => reject(aborted(signal as AbortSignal)))
    const expire = () => settle(() => reject(unreachable(target, `${late} within ${timeoutMs} ms`)))
    const timer = setTimeout(expire, timeoutMs)
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) return abort()
    ask((error, answer) => settle(() => (error ? reject(unreachable(target, refused, error)) : resolve(answer))))
  })
}
