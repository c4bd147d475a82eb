import type { FilePiece, Memory } from '../fabric-native/index.js'

/** What parts need of the operating system beyond node:fs; native in production (`nativeStorage`). */
export interface Storage {
  /** Takes an exclusive lock for the life of the descriptor; false if another descriptor holds it. */
  lock(fd: number): boolean
  /** Gives the first `length` bytes of the file real space; an error of a full disk has the code ENOSPC. */
  allocate(fd: number, length: number): Promise<void>
  map(pieces: readonly FilePiece[]): Memory
}
