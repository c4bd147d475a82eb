export { type ArenaMemory, type Tracking, type TrackingReason, trackings } from './arena-memory.js'
export { BufferArenaMemory, type BufferArenaOptions } from './buffer-arena-memory.js'
export { BufferMemory, type BufferMemoryOptions } from './buffer-memory.js'
export { type ChangedPages, changedPages } from './changed-pages.js'
export { crc32c, pageChecksums } from './checksum.js'
export {
  type ConnectOptions,
  type Dialect,
  type Fabric,
  type LaneOperation,
  type Lanes,
  type LanesToken,
  type ListenOptions,
  type PersistMethod,
  type ProviderName,
  type ProviderOffer,
  type ProviderReport,
  providerNames,
  type Service,
  type ServiceCounters,
  type Ticket,
} from './fabric.js'
export {
  allocateFile,
  allocateFileSync,
  fileSystemKind,
  lockFile,
  mappableSize,
  openUnnamedFile,
  unsafeShutdowns,
} from './file.js'
export { copyExtents, type FileErrand, type FilePending, growFile, syncFile, writePieces } from './file-errand.js'
export type { HeapClassStatistics, HeapFinding, HeapStatistics } from './heap-binding.js'
export type { CopyOptions, DurabilityMethod, FilePiece, Memory } from './memory.js'
export { NativeArenaMemory, type NativeArenaOptions } from './native-arena-memory.js'
export { attachLanes, nativeFabric } from './native-fabric.js'
export { type HeapRegion, type HeapToken, leastHeapSize, NativeHeap } from './native-heap.js'
export { attachMemory, type MemoryToken, NativeMemory } from './native-memory.js'
export { countPages, eachRun, type PageRuns } from './page-runs.js'
