import { closeSync, fstatSync, fsyncSync, ftruncateSync, readSync } from 'node:fs'
import { copyExtents, growFile, syncFile, writePieces } from '../fabric-native/index.js'
import { storageError } from './arena-error.js'
import type { ArenaFile, Extent } from './arena-file.js'
import { immediate, type Operation } from './operation.js'

/** A file of the operating system, open for reading and writing; closed with this object. */
export class NativeArenaFile implements ArenaFile {
  readonly path: string
  readonly fd: number
  #closed = false

  constructor(path: string, fd: number) {
    this.path = path
    this.fd = fd
  }

  get size(): number {
    return fstatSync(this.fd).size
  }

  read(at: number, into: Uint8Array): number {
    let length = 0
    try {
      while (length < into.length) {
        const count = readSync(this.fd, into, length, into.length - length, at + length)
        if (count === 0) break
        length += count
      }
    } catch (error) {
      throw storageError('it cannot be read', this.path, error)
    }
    return length
  }

  write(at: number, pieces: readonly Uint8Array[], { sync = false }: { readonly sync?: boolean } = {}): Operation {
    return writePieces(this.fd, at, pieces, sync)
  }

  copy(source: ArenaFile, extents: readonly Extent[]): Operation {
    const from = source instanceof NativeArenaFile ? source.fd : -1
    return copyExtents(from, this.fd, Float64Array.from(extents.flatMap(({ from, to, length }) => [from, to, length])))
  }

  sync(): Operation {
    return syncFile(this.fd)
  }

  allocate(length: number): Operation {
    return growFile(this.fd, length)
  }

  truncate(length: number): Operation {
    return immediate(() => {
      ftruncateSync(this.fd, length)
      fsyncSync(this.fd)
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.fd)
  }
}
