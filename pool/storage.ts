import type { FilePiece, Memory } from '../fabric-native/index.js'

/** What parts need of the operating system beyond node:fs; native in production (`nativeStorage`). */
export interface Storage {
  /** Takes an exclusive lock for the life of the descriptor; false if another descriptor holds it. */
  lock(fd: number): boolean
  /** Gives the first `length` bytes of the file real space; an error of a full disk has the code ENOSPC. */
  allocate(fd: number, length: number): Promise<void>
  /** Undefined for everything but a device DAX. */
  device(fd: number): DeviceDax | undefined
  /** What shutdown states remember of the memory modules behind a file: 0 and '' where there are none. Default: nothing is known. */
  unsafeShutdowns?(fd: number): { readonly count: bigint; readonly device: string }
  /** @param reservation bytes of address space to be kept for `extend`, those of the pieces included */
  map(pieces: readonly FilePiece[], reservation?: number): Memory
  /** Maps more pieces behind the others of a memory that `map` made; its views stay. All or none. ERR_MAP. */
  extend(memory: Memory, pieces: readonly FilePiece[]): void
}

/** What stat does not tell of a device. Bytes; whatever is mapped of it begins and ends on a multiple of `alignment`. */
export interface DeviceDax {
  readonly size: number
  readonly alignment: number
}
