import { assert } from '../../core/index.js'

/** What a recorded program did to mapped memory; addresses in bytes. `durable` is its own claim about what it has persisted. */
export type StoreEvent =
  | { readonly kind: 'map'; readonly address: number; readonly length: number; readonly granularity: number }
  | { readonly kind: 'store' | 'durable'; readonly address: number; readonly bytes: Uint8Array }
  | { readonly kind: 'flush' | 'msync'; readonly address: number; readonly length: number }
  | { readonly kind: 'fence' }

/** The lines that store-recorder.c writes, and those of the program. */
export function readEvents(text: string): StoreEvent[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line): StoreEvent => {
      const [kind = '', first = '', second = '', third = ''] = line.split(' ')
      const address = Number(first)
      if (kind === 'fence') return { kind }
      if (kind === 'flush' || kind === 'msync') return { kind, address, length: Number(second) }
      if (kind === 'map') return { kind, address, length: Number(second), granularity: Number(third) }
      assert(kind === 'store' || kind === 'durable', `a recorded line has a known kind: ${line}`)
      return { kind, address, bytes: new Uint8Array(Buffer.from(second, 'hex')) }
    })
}

const lineSize = 64
const pageSize = 4096
const byteGranularity = 0

/** A cache line, or as much of a page: what is certain to be there after a crash, and what may be there instead. */
interface Line {
  durable: Uint8Array
  /** Contents since then, oldest first; whole words of each are stored at once, and each line goes on its own. */
  newer: Uint8Array[]
  /** How many of `newer` the next fence makes durable. */
  flushed: number
}

/**
 * What persistent memory may hold after a crash, by the rules of x86: a line that was stored to may be written back at any time
 * and in any order with others, is certain after a flush and a fence behind it, and never goes back to what it was. With a
 * granularity of bytes the fence is enough; with one of pages msync is what counts, and returns when it is done.
 */
export class PersistenceModel {
  readonly #lines = new Map<number, Line>()
  #bytes = false

  /** Undefined, or why the claim is wrong. */
  apply(event: StoreEvent): string | undefined {
    switch (event.kind) {
      case 'map':
        this.#bytes = event.granularity === byteGranularity
        return
      case 'store':
        return this.#store(event.address, event.bytes)
      case 'flush':
        for (const line of this.#between(event.address, event.length)) line.flushed = line.newer.length
        return
      case 'fence':
        for (const line of this.#lines.values()) settle(line, this.#bytes ? line.newer.length : line.flushed)
        return
      case 'msync': {
        const begin = Math.floor(event.address / pageSize) * pageSize
        const end = Math.ceil((event.address + event.length) / pageSize) * pageSize
        for (const line of this.#between(begin, end - begin)) settle(line, line.newer.length)
        return
      }
      case 'durable':
        return this.#judge(event.address, event.bytes)
    }
  }

  /**
   * Every memory that a crash may leave now, as a function that reads a range of it. At most `most`, which is a bug of the
   * caller if there are more.
   */
  *images(most = 4096): Generator<(address: number, length: number) => Uint8Array> {
    const open = [...this.#lines].filter(([, line]) => line.newer.length > 0)
    const count = open.reduce((product, [, line]) => product * (line.newer.length + 1), 1)
    assert(count <= most, `${count} images are too many`)
    for (let image = 0; image < count; image++) {
      const chosen = new Map<number, Uint8Array>()
      let rest = image
      for (const [at, line] of open) {
        const choice = rest % (line.newer.length + 1)
        rest = Math.floor(rest / (line.newer.length + 1))
        chosen.set(at, choice === 0 ? line.durable : (line.newer[choice - 1] ?? line.durable))
      }
      yield (address, length) => this.#read(address, length, (at, line) => chosen.get(at) ?? line.durable)
    }
  }

  #store(address: number, bytes: Uint8Array): undefined {
    assert(address % lineSize === 0 && bytes.length === lineSize, 'a store is told by lines')
    const line = this.#line(address)
    line.newer.push(bytes)
  }

  #judge(address: number, wanted: Uint8Array): string | undefined {
    for (const [at, line] of this.#parts(address, wanted.length)) {
      const [from, to] = [Math.max(at, address), Math.min(at + lineSize, address + wanted.length)]
      const expected = wanted.subarray(from - address, to - address)
      for (const possible of [line.durable, ...line.newer]) {
        if (Buffer.compare(possible.subarray(from - at, to - at), expected) !== 0)
          return `a crash may leave something else at ${from - address} of ${wanted.length} bytes`
      }
    }
    return undefined
  }

  #read(address: number, length: number, content: (at: number, line: Line) => Uint8Array): Uint8Array {
    const result = new Uint8Array(length)
    for (const [at, line] of this.#parts(address, length)) {
      const [from, to] = [Math.max(at, address), Math.min(at + lineSize, address + length)]
      result.set(content(at, line).subarray(from - at, to - at), from - address)
    }
    return result
  }

  #between(address: number, length: number): Line[] {
    return [...this.#parts(address, length)].map(([, line]) => line)
  }

  *#parts(address: number, length: number): Generator<[at: number, line: Line]> {
    for (let at = Math.floor(address / lineSize) * lineSize; at < address + length; at += lineSize)
      yield [at, this.#line(at)]
  }

  /** Memory begins as zeros. */
  #line(at: number): Line {
    const line = this.#lines.get(at) ?? { durable: new Uint8Array(lineSize), newer: [], flushed: 0 }
    this.#lines.set(at, line)
    return line
  }
}

function settle(line: Line, count: number): void {
  if (count === 0) return
  line.durable = line.newer[count - 1] ?? line.durable
  line.newer = line.newer.slice(count)
  line.flushed = 0
}
