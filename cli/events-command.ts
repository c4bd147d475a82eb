import { singleLine } from '../core/index.js'
import { changesAfter, type PoolChange, type SetStatus } from '../pool/index.js'
import type { Io } from './io.js'
import { resyncText, standingJson, stateText, useText } from './standing-text.js'
import { watchStatus } from './status-watch.js'

export interface EventsFlags {
  /** Seconds. */
  readonly timeout?: number
  readonly json?: boolean
}

/** `rpmem events SET`: how the pool and its replicas stand, then a line for each change, until an interrupt. */
export async function followEvents(file: string, { timeout, json = false }: EventsFlags, io: Io): Promise<void> {
  const signals = timeout === undefined ? [io.signal] : [io.signal, AbortSignal.timeout(timeout * 1000)]
  const tell = new Teller(json, io)
  for await (const status of watchStatus(file, AbortSignal.any(signals))) tell.hear(status)
}

/** Remembers what has been told, so that each change is told once. */
class Teller {
  readonly #json: boolean
  readonly #io: Io
  #sequence: number | undefined
  #use: SetStatus['use'] | undefined

  constructor(json: boolean, io: Io) {
    this.#json = json
    this.#io = io
  }

  hear(status: SetStatus): void {
    if (this.#use === undefined) this.#begin(status)
    else if (status.pool) this.#follow(status)
    if (this.#use === 'open' && status.use === 'gone') this.#vanished(status)
    this.#sequence = status.pool?.changes.at(-1)?.sequence ?? this.#sequence
    this.#use = status.use
  }

  #begin(status: SetStatus): void {
    const { replicas, use } = status
    if (this.#json) {
      const stand = replicas.map(standingJson)
      this.#io.out(`${JSON.stringify({ kind: 'stands', use, replicas: stand })}\n`)
      return
    }
    this.#io.out(`${now()} pool: ${useText(status)}\n`)
    for (const replica of replicas) {
      const resync = resyncText(replica)
      const text = `${stateText(replica)}${resync === undefined ? '' : `; ${resync}`}`
      this.#io.out(`${now()} ${singleLine(replica.name)}: ${text}\n`)
    }
  }

  #follow({ pool }: SetStatus): void {
    if (!pool) return
    const { changes, lost } = changesAfter(pool, this.#sequence ?? 0)
    if (lost > 0) this.#say({ kind: 'missed', count: lost }, `${now()} ${lost} changes were missed`)
    for (const change of changes) this.#say({ kind: 'change', ...change }, changeText(change))
  }

  #vanished({ pool }: SetStatus): void {
    const text = `${now()} pool: process ${pool?.process.pid} ended without closing it`
    this.#say({ kind: 'gone', at: now(), pid: pool?.process.pid }, text)
  }

  #say(json: object, text: string): void {
    this.#io.out(`${this.#json ? JSON.stringify(json) : text}\n`)
  }
}

const now = (): string => new Date().toISOString()

function changeText({ at, replica = 'pool', state, failure, nextAttemptMs }: PoolChange): string {
  const why = failure === undefined ? '' : `; ${failure}`
  const next = nextAttemptMs === undefined ? '' : `; next attempt in ${(nextAttemptMs / 1000).toFixed(1)} s`
  return singleLine(`${at} ${replica}: ${state}${why}${next}`)
}
