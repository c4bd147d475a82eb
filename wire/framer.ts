import { assert } from '../core/index.js'
import { violation } from './violation.js'

/** How frames of one direction begin: a header that names type and size, big-endian. */
export interface FrameShape {
  readonly name: string
  readonly headerSize: number
  readonly typeAt: number
  /** Where the 64-bit size of the whole frame stands. */
  readonly sizeAt: number
  /** The rule that this header breaks, or undefined; asked before anything is allocated for the body. */
  rule(type: number, size: number): string | undefined
}

export interface Frame {
  readonly type: number
  /** The whole frame, header included; a copy of its own. */
  readonly bytes: Uint8Array
}

/**
 * Cuts a stream into frames, however it is split. A header that breaks a rule is ERR_PROTOCOL; after it, or after an error
 * of the receiver, every call throws the same again, for nobody knows where the next frame begins.
 */
export class Framer {
  readonly #shape: FrameShape
  readonly #header: Uint8Array
  /** The header until it is complete, then the frame. */
  #target: Uint8Array
  #filled = 0
  #type = 0
  #failure: unknown

  constructor(shape: FrameShape) {
    this.#shape = shape
    this.#header = new Uint8Array(shape.headerSize)
    this.#target = this.#header
  }

  /** Bytes received of a frame that is not complete. */
  get pending(): number {
    return this.#filled
  }

  /** Delivers every frame that the chunk completes, in order, before it throws for what follows them. */
  push(chunk: Uint8Array, deliver: (frame: Frame) => void): void {
    if (this.#failure !== undefined) throw this.#failure
    try {
      let rest = chunk
      while (rest.length > 0) {
        rest = this.#fill(rest)
        if (this.#filled === this.#target.length) this.#complete(deliver)
      }
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  /** To be called at the end of the stream: inside a frame that is ERR_PROTOCOL. */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#filled === 0) return
    const have = this.#filled
    throw violation(this.#shape.name, 'the stream ended inside a message', { have, wanted: this.#target.length })
  }

  #fill(chunk: Uint8Array): Uint8Array {
    const take = Math.min(chunk.length, this.#target.length - this.#filled)
    this.#target.set(chunk.subarray(0, take), this.#filled)
    this.#filled += take
    return chunk.subarray(take)
  }

  #complete(deliver: (frame: Frame) => void): void {
    if (this.#target === this.#header) this.#begin()
    if (this.#filled < this.#target.length) return
    const bytes = this.#target
    this.#target = this.#header
    this.#filled = 0
    deliver({ type: this.#type, bytes })
  }

  #begin(): void {
    const view = new DataView(this.#header.buffer)
    this.#type = view.getUint32(this.#shape.typeAt)
    const size = view.getBigUint64(this.#shape.sizeAt)
    // Beyond 2^53 the number is rounded, which no limit minds.
    const rule = this.#shape.rule(this.#type, Number(size))
    if (rule !== undefined) throw violation(this.#shape.name, rule, { type: this.#type, size })
    assert(size >= this.#header.length, 'the rule of a frame shape demands a whole header')
    this.#target = new Uint8Array(Number(size))
    this.#target.set(this.#header)
  }
}
