import { MiB } from '../../core/index.js'
import type { ArenaFile, Extent } from '../../lpsm/arena-file.js'
import type { Operation, Pending } from '../../lpsm/operation.js'
import type { FileName, Journal } from './journal.js'

/** What stands between a call and its effect. */
export interface Weather {
  /** How many turns of the queue of microtasks an operation takes that was started. */
  turns(): number
  /** Called before each operation; throws what the operation shall fail with. */
  before?(call: Call): void
}

export interface Call {
  readonly file: FileName
  readonly name: 'write' | 'sync' | 'copy' | 'allocate' | 'truncate'
}

/** Bytes of the largest file. */
const capacity = 64 * MiB

class Full extends Error {
  readonly code = 'ENOSPC'
}

/** A file in memory that tells a journal what is done to it. */
export class MemoryFile implements ArenaFile {
  readonly path: string
  readonly #name: FileName
  readonly #journal: Journal | undefined
  readonly #weather: Weather
  #bytes: Uint8Array
  #size: number
  closed = false

  constructor(name: FileName, bytes: Uint8Array = new Uint8Array(0), journal?: Journal, weather: Weather = calm) {
    this.path = name
    this.#name = name
    this.#journal = journal
    this.#weather = weather
    this.#bytes = bytes
    this.#size = bytes.length
  }

  get size(): number {
    return this.#size
  }

  /** What it holds, durable or not. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size)
  }

  read(at: number, into: Uint8Array): number {
    const piece = this.bytes.subarray(at, at + into.length)
    into.set(piece)
    return piece.length
  }

  write(at: number, pieces: readonly Uint8Array[], { sync = false }: { readonly sync?: boolean } = {}): Operation {
    return this.#operation('write', () => this.put(at, Buffer.concat(pieces)), sync)
  }

  copy(source: ArenaFile, extents: readonly Extent[]): Operation {
    return this.#operation('copy', () => {
      for (const { from, to, length } of extents) {
        const bytes = new Uint8Array(length)
        source.read(from, bytes)
        this.put(to, bytes)
      }
    })
  }

  sync(): Operation {
    return this.#operation('sync', () => {}, true)
  }

  allocate(length: number): Operation {
    return this.#operation('allocate', () => {
      if (length > capacity) throw new Full(`${length} bytes`)
      this.resize(Math.max(length, this.#size))
    })
  }

  truncate(length: number): Operation {
    return this.#operation('truncate', () => this.resize(length))
  }

  close(): void {
    this.closed = true
  }

  put(at: number, bytes: Uint8Array): void {
    if (at + bytes.length > this.#size) this.resize(at + bytes.length)
    this.#bytes.set(bytes, at)
    this.#journal?.add({ kind: 'write', file: this.#name, at, bytes: bytes.slice() })
  }

  resize(size: number): void {
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.#bytes.length))
      larger.set(this.bytes)
      this.#bytes = larger
    }
    this.#bytes.fill(0, Math.min(size, this.#size), Math.max(size, this.#size))
    this.#size = size
    this.#journal?.add({ kind: 'size', file: this.#name, size })
  }

  #ask(call: Call): void {
    try {
      this.#weather.before?.(call)
    } catch (error) {
      this.#journal?.add({ kind: 'failed' })
      throw error
    }
  }

  #operation(name: Call['name'], act: () => void, sync = false): Operation {
    const begin = (): (() => void) => {
      this.#ask({ file: this.#name, name })
      act()
      if (!sync) return () => {}
      if (name !== 'sync') this.#ask({ file: this.#name, name: 'sync' })
      const covers = this.#journal?.events.length ?? 0
      return () => this.#journal?.add({ kind: 'sync', file: this.#name, covers })
    }
    return { run: () => begin()(), start: () => slow(begin(), this.#weather.turns()) }
  }
}

/** Ends after some turns, or when somebody waits for it in place. */
function slow(end: () => void, turns: number): Pending {
  let ended = false
  const join = (): void => {
    if (!ended) end()
    ended = true
  }
  const wait = async (): Promise<void> => {
    for (let turn = 0; turn < turns; turn++) await undefined
    join()
  }
  return { done: wait(), join }
}

const calm: Weather = { turns: () => 0 }
