import { GiB } from '../core/index.js'
import type { NativeMemory } from '../fabric-native/index.js'

const stride = 2 * GiB
const reach = 2 * stride - 1

/**
 * ArrayBuffers over the whole memory, each begun 2 GiB behind the one before and up to 4 GiB long, so that any block of up to
 * 2 GiB lies in one of them. Made when first needed; a Buffer over one costs a fiftieth of an ArrayBuffer of its own.
 */
export class Windows {
  readonly #memory: NativeMemory
  readonly #windows: (ArrayBufferLike | undefined)[] = []

  constructor(memory: NativeMemory) {
    this.#memory = memory
  }

  /** No copy. The range must lie in the memory. */
  buffer(at: number, length: number): Buffer {
    if (length > stride) return ownBuffer(this.#memory, at, length)
    const index = Math.floor(at / stride)
    const window = this.#windows[index] ?? this.#open(index)
    return Buffer.from(window as ArrayBuffer, at - index * stride, length)
  }

  /** The memory has grown: what begins from now on may lie behind the end of the present windows. */
  renew(): void {
    this.#windows.length = 0
  }

  #open(index: number): ArrayBufferLike {
    const begin = index * stride
    const window = this.#memory.view(begin, Math.min(reach, this.#memory.size - begin)).buffer
    this.#windows[index] = window
    return window
  }
}

/** A Buffer over an ArrayBuffer of its own. */
export function ownBuffer(memory: NativeMemory, at: number, length: number): Buffer {
  const view = memory.view(at, length)
  return Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength)
}
