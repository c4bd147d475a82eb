/** The storage of a guest that scripts/vm/storage has prepared, and what makes it durable. */
export interface StorageKind {
  readonly name: string
  /** A folder for parts. */
  readonly folder: string
  readonly method: 'dax' | 'msync' | 'volatile'
  /** Mapped with MAP_SYNC (mmap(2)). */
  readonly synchronous: boolean
}

export const storageKinds: readonly StorageKind[] = [
  { name: 'a file system with DAX', folder: '/mnt/pmem', method: 'dax', synchronous: true },
  { name: 'a disk', folder: '/mnt/disk', method: 'msync', synchronous: false },
  { name: 'a tmpfs', folder: '/dev/shm', method: 'volatile', synchronous: false },
]
