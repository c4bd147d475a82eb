export { BackOff, type BackOffOptions } from './back-off.js'
export { blockSumSize, blockSums } from './block-sums.js'
export { type CompareOptions, type Comparison, compareReplicas } from './comparison.js'
export { readDevice } from './device-part.js'
export { decodeHeader, encodeHeader, headerChecksum, type PartHeader } from './header.js'
export { attributesOf, checkAttributes } from './header-attributes.js'
export { checkHeaders, type HeaderPage } from './header-check.js'
export type { Keeping } from './keeping.js'
export type { KeptState } from './kept-state.js'
export { LatencyHistogram, type LatencySnapshot } from './latency.js'
export {
  type HeaderOptions,
  locate,
  type PartPlace,
  type Piece,
  type ReplicaLayout,
  replicaLayout,
} from './layout.js'
export { admit } from './lineage-check.js'
export { metricsText } from './metrics-text.js'
export { nativeStorage } from './native-storage.js'
export { newAttributes } from './new-attributes.js'
export { PersistError, type ReplicaFailure } from './persist-error.js'
export type { Level, Policy } from './policy.js'
export { Pool, type PoolState } from './pool.js'
export { poolChannels } from './pool-channels.js'
export type { PoolEvents, ReplicaChange, ReplicaLoss, ReplicaProgress } from './pool-events.js'
export type {
  CopyPersistOptions,
  CreatePoolOptions,
  OpenPoolOptions,
  PoolPersistOptions,
  ResyncOptions,
} from './pool-options.js'
export { existingPlacesOf, placesOf, setToCreate } from './pool-places.js'
export type { PoolToken, ReplicaToken } from './pool-share.js'
export type { PoolChange, PoolStatus, ReplicaReport } from './pool-status.js'
export { promote } from './promotion.js'
export { Receipt, type ReplicaReceipt, type ReplicaStatus } from './receipt.js'
export { RecordFile, type RecordStore, recordPath } from './record-file.js'
export type {
  AttachRemote,
  CreateRemoteRequest,
  RemoteConnector,
  RemoteReplica,
  RemoteRequest,
} from './remote-connector.js'
export type { RemoteCopies, RemoteCopy } from './remote-copy.js'
export type { Persisting, PersistOptions, Replica } from './replica.js'
export {
  type CreateReplicaPartsRequest,
  createReplicaParts,
  openReplicaParts,
  type ReplicaPartsRequest,
} from './replica-creation.js'
export { ReplicaParts } from './replica-parts.js'
export { type RemoveReplicaPartsRequest, removePart, removeReplicaParts } from './replica-removal.js'
export { type Restoration, type RestoreOptions, restore } from './restoration.js'
export { type NotedReplica, notesBeside, readNotes, type SetNotes } from './set-notes.js'
export { changesAfter, type ReplicaStanding, readSetStatus, type SetStatus } from './set-status.js'
export { StatusNote, statusPath } from './status-note.js'
export type { DeviceDax, Storage } from './storage.js'
export { type TransformOptions, transform } from './transformation.js'
export type { Transport, TransportReason } from './transport.js'
export type { UnpersistedPage } from './unpersisted.js'
export { formatUuid } from './uuid.js'
export { differingBytes, type Verification, type VerificationProgress, type VerifyOptions } from './verification.js'
