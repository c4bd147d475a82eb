import type { Readable } from 'node:stream'

/** Takes bytes from a stream in the portions that the reader asks for. */
export class Outlet {
  #received = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => {}

  constructor(stream: Readable) {
    stream.on('data', (chunk: Uint8Array) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    stream.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  /** The next `count` bytes, or what came before the end. */
  async read(count: number): Promise<Uint8Array> {
    while (this.#received.length < count && !this.#ended)
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    const taken = new Uint8Array(this.#received.subarray(0, count))
    this.#received = this.#received.subarray(taken.length)
    return taken
  }

  /** Everything up to the end. */
  rest(): Promise<Uint8Array> {
    return this.read(Number.POSITIVE_INFINITY)
  }
}
