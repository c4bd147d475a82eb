/**
 * A pool set: parts, replicas and options, whatever notation it was written in. `replicas[0]` is the master. `lines` holds
 * the set as it was written, comments included, so that it can be printed in any notation without loss; `options` and
 * `replicas` are what those lines mean. Source: poolset(5).
 */
export interface PoolSet {
  readonly options: PoolSetOptions
  readonly replicas: readonly ReplicaSpec[]
  readonly lines: readonly Line[]
}

/** `singleHeader` wins where both are set, as in PMDK. */
export interface PoolSetOptions {
  /** SINGLEHDR: only the first part of each replica has a header. */
  readonly singleHeader: boolean
  /** NOHDRS: no part has a header. */
  readonly noHeaders: boolean
}

export type ReplicaSpec = LocalReplicaSpec | RemoteReplicaSpec

export interface LocalReplicaSpec {
  readonly kind: 'local'
  /** In address order; at least one. */
  readonly parts: readonly PartSpec[]
}

export interface RemoteReplicaSpec {
  readonly kind: 'remote'
  /** `[user@]host[:port]`, not validated here. */
  readonly node: string
  /** Relative to the poolset-dir of the target. */
  readonly set: string
}

export interface PartSpec {
  /** Absolute. */
  readonly path: string
  /**
   * Bytes, at least 1. For a directory: the reservation of address space; for AUTO: the size of the device. A bigint only
   * above 2^53 - 1, which PMDK's grammar allows and no machine can map; `plan` reports it.
   */
  readonly size: number | bigint
  readonly kind: PartKind
  /** For a directory: the `*.pmem` files that it held when the set was read, by name. Otherwise empty. */
  readonly files: readonly DirectoryFile[]
}

/** What the path was when the set was read; a path at which there is nothing yet is a file. */
export type PartKind = 'file' | 'directory' | 'device-dax'

export interface DirectoryFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** False for a file that another replica has and this one must get. */
  readonly exists: boolean
}

/**
 * One line as written. Words by kind: option: names; part: size, path; replica: none (a local replica begins); remote:
 * node, set. `comment` is what follows the `#`.
 */
export interface Line {
  readonly kind: LineKind
  readonly words: readonly string[]
  readonly comment: string | undefined
}

export type LineKind = 'blank' | 'comment' | 'option' | 'part' | 'replica' | 'remote'

export const localReplicas = (set: PoolSet): readonly LocalReplicaSpec[] => set.replicas.filter(isLocal)
export const remoteReplicas = (set: PoolSet): readonly RemoteReplicaSpec[] => set.replicas.filter(isRemote)

/** True for a set whose parts are directories, in which files are made as the pool grows. */
export const isDirectorySet = (set: PoolSet): boolean =>
  localReplicas(set).some(replica => replica.parts.some(part => part.kind === 'directory'))

const isLocal = (replica: ReplicaSpec): replica is LocalReplicaSpec => replica.kind === 'local'
const isRemote = (replica: ReplicaSpec): replica is RemoteReplicaSpec => replica.kind === 'remote'
