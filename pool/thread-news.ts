import { BroadcastChannel } from 'node:worker_threads'
import { type ErrorCode, RpmemError } from '../core/index.js'
import type { KeptChange } from './kept-state.js'

/** What the threads that share a pool tell each other of its kept replicas. */
export type News =
  /** By the thread that keeps the replica. */
  | { readonly replica: string; readonly change: KeptChange }
  /** By another: it has missed something that this thread recorded, and keeps a connection that looks well. */
  | { readonly replica: string; readonly missed: true }

interface Message {
  readonly replica: string
  readonly state?: KeptChange['state']
  readonly nextAttemptMs?: number | undefined
  /** An error does not travel as it is. */
  readonly error?: { readonly code?: ErrorCode; readonly message: string } | undefined
}

/** A channel among the threads of one pool. It never keeps a thread alive. */
export class ThreadNews {
  readonly #channel: BroadcastChannel

  /** @param name known to the threads of one pool only */
  constructor(name: string, hear: (news: News) => void) {
    this.#channel = new BroadcastChannel(name)
    this.#channel.unref()
    this.#channel.onmessage = event => hear(newsOf((event as { readonly data: Message }).data))
  }

  tell(news: News): void {
    this.#channel.postMessage(messageOf(news))
  }

  close(): void {
    this.#channel.close()
  }
}

function messageOf(news: News): Message {
  const { replica } = news
  if ('missed' in news) return { replica }
  const { state, nextAttemptMs, error } = news.change
  if (!(error instanceof Error)) return { replica, state, nextAttemptMs }
  const { message } = error
  return {
    replica,
    state,
    nextAttemptMs,
    error: error instanceof RpmemError ? { code: error.code, message } : { message },
  }
}

function newsOf({ replica, state, nextAttemptMs, error }: Message): News {
  if (state === undefined) return { replica, missed: true }
  return {
    replica,
    change: {
      state,
      ...(nextAttemptMs !== undefined && { nextAttemptMs }),
      ...(error && { error: error.code ? new RpmemError(error.code, error.message) : new Error(error.message) }),
    },
  }
}
