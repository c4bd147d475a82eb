import { fstatSync, ftruncateSync, readSync } from 'node:fs'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import type { DurabilityMethod } from '../../fabric-native/index.js'
import type { Storage } from '../../pool/index.js'

class DaxMemory extends BufferMemory {
  override readonly method: DurabilityMethod = 'dax'
}

/** Storage without the addon: space by truncation, memory that is read from the parts and never written back. */
export class FileStorage implements Storage {
  /** Inodes that count as locked by somebody else. */
  readonly busy = new Set<number>()
  /** Every mapping that was made. */
  readonly mapped: BufferMemory[] = []
  /** System code with which the allocation fails, if set. */
  allocationFailure: string | undefined

  #Memory = BufferMemory

  /** From now on the parts lie on persistent memory. */
  dax(): void {
    this.#Memory = DaxMemory
  }

  lock(fd: number): boolean {
    return !this.busy.has(fstatSync(fd).ino)
  }

  async allocate(fd: number, length: number): Promise<void> {
    if (this.allocationFailure) throw Object.assign(new Error('no space'), { code: this.allocationFailure })
    if (fstatSync(fd).size < length) ftruncateSync(fd, length)
  }

  device(): undefined {}

  extend(): never {
    throw new Error('a target does not grow its pools')
  }

  map(pieces: readonly { fd: number; offset: number; length: number }[]): BufferMemory {
    const memory = new this.#Memory(pieces.reduce((sum, piece) => sum + piece.length, 0))
    pieces.reduce((at, { fd, offset, length }) => {
      readSync(fd, memory.view(at, length), 0, length, offset)
      return at + length
    }, 0)
    this.mapped.push(memory)
    return memory
  }
}
