/** What a block needs of its pool. */
export interface BlockOwner {
  /** Empties every view of the block; false if the engine refuses. */
  detach(bytes: Uint8Array): boolean
  release(offset: number): void
}

/**
 * A block with an ArrayBuffer of its own, for `using` and for code that would rather not free at all: `dispose` empties every
 * view of it and then frees it; a block that is forgotten is freed when no view of it is left.
 */
export class Block {
  /** The memory; empty after dispose and after the pool was closed. */
  readonly bytes: Buffer
  /** In the pool, as of `mallocOffset`. */
  readonly offset: number
  readonly #owner: BlockOwner
  #disposed = false

  constructor(owner: BlockOwner, bytes: Buffer, offset: number) {
    this.#owner = owner
    this.bytes = bytes
    this.offset = offset
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** Idempotent. Work of others on the bytes in another thread (an asynchronous read or compression) must have ended. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    // What the engine will not take away is freed when it is collected.
    if (this.#owner.detach(this.bytes)) this.#owner.release(this.offset)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
