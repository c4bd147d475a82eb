import { assert, systemCode } from '../core/index.js'
import { allocateFile, lockFile, mappableSize, NativeMemory, unsafeShutdowns } from '../fabric-native/index.js'
import type { DeviceDax, Storage } from './storage.js'

/** The operating system's files, mapped through libpmem2. The addon is loaded at the first use. */
export const nativeStorage: Storage = {
  lock: lockFile,
  allocate: allocateFile,
  device: deviceOf,
  unsafeShutdowns,
  map: (pieces, reservation) => NativeMemory.map(pieces, reservation),
  extend: (memory, pieces) => {
    assert(memory instanceof NativeMemory, 'what is extended was mapped here')
    memory.extend(pieces)
  },
}

function deviceOf(fd: number): DeviceDax | undefined {
  try {
    const { size, alignment, deviceDax } = mappableSize(fd)
    return deviceDax ? { size, alignment } : undefined
  } catch (error) {
    // Some other device, or none: libpmem2 does not map it.
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}
