import { allocateFile, lockFile, NativeMemory } from '../fabric-native/index.js'
import type { Storage } from './storage.js'

/** The operating system's files, mapped through libpmem2. The addon is loaded at the first use. */
export const nativeStorage: Storage = {
  lock: lockFile,
  allocate: allocateFile,
  map: pieces => NativeMemory.map(pieces),
}
