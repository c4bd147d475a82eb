import { pageSize, RpmemError } from '../core/index.js'
import {
  attachMemory,
  type ChangedPages,
  changedPages,
  eachRun,
  type Memory,
  type MemoryToken,
  NativeMemory,
} from '../fabric-native/index.js'

/** A page with bytes that were stored to and not made durable. Offsets count from the first byte that the user may use. */
export interface UnpersistedPage {
  /** Of the page. */
  readonly offset: number
  /** The first and the last of these bytes. */
  readonly first: number
  readonly last: number
}

/** Puts its bytes into the place of the last ones, or leaves them. */
export interface PersistUnderWay {
  succeeded(): void
}

/**
 * A debug check: a second copy of the pool holds what was last persisted; what differs from it was not. Only pages that the
 * kernel saw a store to are compared, where it tells.
 */
export class Unpersisted {
  readonly #memory: Memory
  readonly #durable: NativeMemory
  readonly #base: number
  readonly #changed: ChangedPages
  /** By the lane that they were flushed on. */
  readonly #flushed = new Map<number | undefined, PersistUnderWay[]>()

  private constructor(memory: Memory, durable: NativeMemory, base: number, changed: ChangedPages) {
    this.#memory = memory
    this.#durable = durable
    this.#base = base
    this.#changed = changed
  }

  /** Takes what the memory holds now for persisted. @param reservation bytes up to which the memory can grow; @throws ERR_MAP */
  static of(memory: Memory, base: number, reservation: number): Unpersisted {
    const changed = changedPages(memory)
    const durable = NativeMemory.anonymous(reservation)
    durable.copyFrom(memory, 0, memory.size, unflushed)
    return new Unpersisted(memory, durable, base, changed)
  }

  /** In another thread. Its own `find` compares everything. */
  static attach(token: MemoryToken, memory: Memory, base: number): Unpersisted {
    const all = { peek: () => Uint32Array.of(0, memory.size / pageSize), clean: () => {}, mark: () => {} }
    return new Unpersisted(memory, attachMemory(token), base, all)
  }

  share(): MemoryToken {
    return this.#durable.share()
  }

  /** The range as it is now is on its way. */
  begin(at: number, length: number): PersistUnderWay {
    const bytes = new Uint8Array(length)
    this.#memory.read(at, bytes)
    return { succeeded: () => this.#durable.copyIn(at, bytes, unflushed) }
  }

  flushed(at: number, length: number, lane: number | undefined): void {
    const list = this.#flushed.get(lane)
    const flush = this.begin(at, length)
    if (list) list.push(flush)
    else this.#flushed.set(lane, [flush])
  }

  /** What was flushed on this lane and is durable if the drain that begins now succeeds. */
  draining(lane: number | undefined): PersistUnderWay {
    const flushes = this.#flushed.get(lane) ?? []
    this.#flushed.delete(lane)
    return {
      succeeded() {
        for (const flush of flushes) flush.succeeded()
      },
    }
  }

  /** A page that is as it was persisted is not looked at again before it changes. */
  find(): UnpersistedPage[] {
    const found: UnpersistedPage[] = []
    for (const [first, count] of eachRun(this.#changed.peek())) {
      for (let page = first; page < first + count; page++) {
        const at = page * pageSize
        // Cleaned first: a store by another thread during the look makes it dirty again.
        this.#changed.clean(page)
        const difference = differenceOf(this.#page(this.#memory, at), this.#page(this.#durable, at))
        if (difference === undefined) continue
        this.#changed.mark(page)
        const offset = at - this.#base
        if (at >= this.#base) found.push({ offset, first: offset + difference.first, last: offset + difference.last })
      }
    }
    return found
  }

  close(): void {
    this.#durable.close()
  }

  #page(memory: Memory, at: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(pageSize, this.#memory.size - at))
    memory.read(at, bytes)
    return bytes
  }
}

const unflushed = { noFlush: true }

function differenceOf(now: Uint8Array, durable: Uint8Array): { first: number; last: number } | undefined {
  if (Buffer.compare(now, durable) === 0) return undefined
  const differs = (byte: number, index: number) => byte !== durable[index]
  return { first: now.findIndex(differs), last: now.findLastIndex(differs) }
}

/** What `close` throws if it was asked to. */
export function unpersistedError(pages: readonly UnpersistedPage[]): RpmemError {
  const [first] = pages
  const where = first ? `${first.first} to ${first.last}` : ''
  return new RpmemError(
    'ERR_UNPERSISTED',
    `${pages.length} pages were changed and never persisted, first bytes ${where}`,
    {
      facts: { pages: pages.length, first: first?.first ?? 0, last: first?.last ?? 0 },
      durability: 'none',
    },
  )
}
