import type { PoolAttributes, ReplicaRecord } from '../core/index.js'
import type { Dialect, DurabilityMethod, PersistMethod, ProviderName, ProviderReport } from '../fabric-native/index.js'

/** What the initiator asks of a daemon, whichever dialect it speaks. */
export interface Session {
  readonly dialect: Dialect
  /** Name and version of the daemon, for people. */
  readonly software: string
  /** What the target reported about its providers; undefined where the dialect has no words for it. */
  readonly offers: readonly ProviderReport[] | undefined
  /** Address of the daemon's machine as SSH reached it, if known. */
  readonly peerAddress: string | undefined
  create(request: PoolRequest, attributes: PoolAttributes | undefined): Promise<Grant>
  open(request: PoolRequest): Promise<Grant>
  setAttributes(attributes: PoolAttributes | undefined): Promise<void>
  /** The copy on the target is this from now on; durable there when it resolves. Undefined where the dialect has no records. */
  adopt?(record: ReplicaRecord): Promise<void>
  /** Checksums of consecutive blocks of the target's pool, one behind the other. */
  sums?(offset: number, length: number, blockSize: number): Promise<Uint8Array>
  /** Ends the session; the daemon removes the pool if it created it in this session and `remove` is set. */
  close(remove: boolean): Promise<void>
  /** Resolves with the answer; undefined where the dialect knows no ping. */
  ping?(): Promise<void>
  /** The target answers pings also while it works on a request, so that its silence is its loss. */
  readonly promptPings: boolean
  /** Called once when the session ends other than by close(). */
  onLost(listener: (error: Error) => void): void
  /** Ends the session as lost, for this reason: pending calls reject with it. */
  abandon(error: Error): void
  /** Lets the process end while the session is idle. */
  unref(): void
}

export interface PoolRequest {
  readonly poolSet: string
  /** Bytes to mirror, from pool offset 0. */
  readonly size: number
  readonly lanes: number
  readonly provider: ProviderName
  readonly inlineSize: number
  /** What our copy has been through. */
  readonly claim?: ReplicaRecord | undefined
}

/** What the daemon grants: where the lanes connect and what they may do. */
export interface Grant {
  /** Undefined: the address of the SSH connection. */
  readonly address: string | undefined
  readonly port: number
  readonly method: PersistMethod
  /** Undefined where the dialect has no words for it. */
  readonly durability: DurabilityMethod | undefined
  readonly rkey: bigint
  readonly raddr: bigint
  readonly lanes: number
  readonly inlineSize: number
  readonly poolSize: number | undefined
  readonly attributes: PoolAttributes | undefined
  /** For the tokens of the lanes. */
  readonly secret: Uint8Array | undefined
  /** What the target's copy has been through; undefined if it has no record. */
  readonly record?: ReplicaRecord | undefined
}

export interface SessionDeadlines {
  /** Create, open and close: allocating or removing a large pool takes its time. */
  readonly openMs: number
  /** Everything else. */
  readonly answerMs: number
}
