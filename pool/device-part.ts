import { open } from 'node:fs/promises'
import { alignUp, MiB, pageSize } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { nativeStorage } from './native-storage.js'
import type { DeviceDax, Storage } from './storage.js'

/** Size and first page of a device DAX, looked at without a lock; undefined for anything else. System errors of open(2). */
export async function readDevice(
  path: string,
  storage: Storage = nativeStorage,
): Promise<{ page: Uint8Array; size: number } | undefined> {
  // libpmem2 maps for writing, which a descriptor for reading does not allow.
  const file = await open(path, 'r+')
  try {
    const device = storage.device(file.fd)
    return device && { page: new DevicePart(device, storage, file.fd).readPage(), size: device.size }
  } finally {
    await file.close()
  }
}

/** The bytes of a part on a device DAX, which cannot be read or written, only mapped. */
export class DevicePart {
  readonly size: number
  readonly alignment: number
  readonly #storage: Storage
  readonly #fd: number

  constructor({ size, alignment }: DeviceDax, storage: Storage, fd: number) {
    this.size = size
    this.alignment = alignment
    this.#storage = storage
    this.#fd = fd
  }

  readPage(): Uint8Array {
    const page = new Uint8Array(pageSize)
    this.#withBegin(pageSize, memory => memory.read(0, page))
    return page
  }

  /** Durable when it returns. */
  writePage(page: Uint8Array): void {
    this.#withBegin(pageSize, memory => {
      memory.copyIn(0, page)
      memory.deepPersist(0, page.length)
    })
  }

  /** A device has no name to be taken away: it is empty when it begins with zeros, 2 MiB of them. Source: PMDK's file.c. */
  wipe(): void {
    const length = Math.min(2 * MiB, this.size)
    this.#withBegin(length, memory => {
      memory.fill(0, 0, length)
      memory.deepPersist(0, length)
    })
  }

  #withBegin(length: number, work: (memory: Memory) => void): void {
    const memory = this.#storage.map([{ fd: this.#fd, offset: 0, length: alignUp(length, this.alignment) }])
    try {
      work(memory)
    } finally {
      memory.close()
    }
  }
}
