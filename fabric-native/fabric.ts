import type { Memory } from './memory.js'

/**
 * The fabric seam: what initiator and target need of a fabric. Implemented natively over libfabric (native-fabric.ts) and in
 * memory for simulation (memory-fabric.ts); test/fabric-native/compliance.ts is the kit that both pass.
 *
 * Units: offsets and lengths in bytes from pool offset 0 (header page included); times in milliseconds.
 */

export const providerNames = ['verbs', 'tcp', 'sockets'] as const
export type ProviderName = (typeof providerNames)[number]

/** GPSPM: the target's CPU makes bytes durable and answers. APM: the platform does, a read after the writes suffices. */
export type PersistMethod = 'GPSPM' | 'APM'

/** In-band message format: ours, or bit for bit that of PMDK 1.12 (reference B7, B8). */
export type Dialect = 'rpmem' | 'pmdk'

/** What one end knows of a provider; exchanged over the control channel before any fabric object exists. */
export interface ProviderOffer {
  readonly provider: ProviderName
  /** Name inside libfabric: `tcp` is `net` in libfabric 1.17. */
  readonly fabricName: string
  /** Wire format of the endpoint (fi_ep_attr protocol and protocol_version): both ends must agree. */
  readonly protocol: number
  readonly protocolVersion: number
  readonly maxLanes: number
  readonly maxMessageSize: number
}

export type ProviderReport =
  | { readonly provider: ProviderName; readonly offer: ProviderOffer }
  /** Why the provider cannot be used here, for `transport.why`. */
  | { readonly provider: ProviderName; readonly offer?: undefined; readonly reason: string }

export interface ListenOptions {
  readonly provider: ProviderName
  /** Local address on which initiators connect (third field of SSH_CONNECTION). IPv4 or IPv6. */
  readonly address: string
  readonly memory: Memory
  /** Bytes registered, from pool offset 0. */
  readonly size: number
  /** Exactly that many connections are served; more are rejected. */
  readonly lanes: number
  readonly dialect: Dialect
  readonly method: PersistMethod
  /** Largest inline data of one message. */
  readonly inlineSize: number
  /** Dialect rpmem: one single-use token of 32 bytes per lane, compared in constant time before a connection is accepted. */
  readonly tokens?: readonly Uint8Array[]
  /** Dialect pmdk: only connections from this address are accepted. */
  readonly peerAddress?: string
  /** How long to wait for all lanes; default 30 s. */
  readonly acceptTimeoutMs?: number
  /** Service threads; default: fewer than cores. */
  readonly threads?: number
  /** How long an idle thread polls before it sleeps; default adaptive, at most a few hundred µs. */
  readonly spinUs?: number
}

export interface ServiceCounters {
  readonly messages: number
  readonly bytes: number
  readonly rejectedConnections: number
  readonly activeLanes: number
}

/** The target's receive - make durable - answer loop on native threads. */
export interface Service {
  readonly port: number
  readonly rkey: bigint
  /** Target address of pool offset 0. */
  readonly raddr: bigint
  /** Granted: min(asked, what the provider can). */
  readonly lanes: number
  /** Resolves when every lane is connected; rejects with ERR_DEADLINE after acceptTimeoutMs, with ERR_CLOSED on close(). */
  readonly connected: Promise<void>
  counters(): ServiceCounters
  /** Stops threads, closes endpoints, deregisters memory. Idempotent; safe while lanes are busy. */
  close(): Promise<void>
}

export interface ConnectOptions {
  readonly provider: ProviderName
  readonly address: string
  readonly port: number
  readonly memory: Memory
  readonly size: number
  readonly lanes: number
  readonly dialect: Dialect
  readonly method: PersistMethod
  readonly rkey: bigint
  readonly raddr: bigint
  readonly inlineSize: number
  readonly tokens?: readonly Uint8Array[]
  /** Per lane; default 30 s. */
  readonly connectTimeoutMs?: number
  /** Transmit queue size asked for (RPMEM_WORK_QUEUE_SIZE); default 50. */
  readonly workQueueSize?: number
}

export interface LaneOperation {
  /** 0 … count - 1; default `Lanes.lane`. */
  readonly lane?: number
  /** Give up 8-byte atomicity on the target (RPMEM_PERSIST_RELAXED, RPMEM_FLUSH_RELAXED). */
  readonly relaxed?: boolean
  /** Deep persist: the lowest domain that software of the target reaches. */
  readonly deep?: boolean
  /**
   * How long the target may be silent while the operation is under way, and how long the operation may take: counted from
   * the end of the one before it on its lane, and with a second more for each 16 MiB of its length. Default 3000. When it
   * expires, the operation settles and the connection is lost with it, since nobody knows what has arrived.
   */
  readonly deadlineMs?: number
}

/** An operation under way; redeemed exactly once with `finishSync` or `finish`. */
export type Ticket = number

/** Proof, good for this process only, that its bearer may use the lanes; can be posted to a worker thread. */
export type LanesToken = string

/**
 * The initiator's lanes. Synchronous calls spin for a bounded time, then sleep, and throw ERR_DEADLINE; asynchronous ones
 * complete in batches without an event-loop hop in the data path. A failed connection fails every pending and later call
 * with ERR_TARGET_LOST. All methods throw ERR_CLOSED after close().
 *
 * One object belongs to one thread; `share` and `attachLanes` bring the lanes to others. Any thread may use any lane. What a
 * thread flushes on a lane is durable after a drain of the same lane by the same thread.
 */
export interface Lanes {
  readonly count: number
  /** Of operations that name none: 0 for whoever connected, for a thread that attached the one that the fewest use so. */
  readonly lane: number
  readonly down: Error | undefined
  /** Called at most once, when a connection is lost other than by close(). */
  onDown(listener: (error: Error) => void): void

  persistSync(offset: number, length: number, operation?: LaneOperation): void
  persist(offset: number, length: number, operation?: LaneOperation): Promise<void>
  /** Begins a persist and returns at once, so that several replicas work side by side. */
  start(offset: number, length: number, operation?: LaneOperation): Ticket
  finishSync(ticket: Ticket): void
  finish(ticket: Ticket): Promise<void>

  /** Queues the range on the lane; durable after the drain of the same lane. */
  flush(offset: number, length: number, operation?: LaneOperation): void
  drainSync(operation?: LaneOperation): void
  drain(operation?: LaneOperation): Promise<void>

  /** Reads from the target's pool, not from local memory. */
  readSync(offset: number, into: Uint8Array, operation?: LaneOperation): void
  read(offset: number, into: Uint8Array, operation?: LaneOperation): Promise<void>

  /**
   * Lets `attachLanes` in another thread of this process find the lanes as long as they are open here. ERR_ARGUMENT if lanes of
   * this fabric cannot leave their thread.
   */
  share(): LanesToken
  /** The target counts as lost, for a reason found elsewhere: every thread that uses the lanes learns it, as if they had broken. */
  lose(reason: Error): void

  /**
   * Pending calls reject with ERR_CLOSED. Idempotent. Of whoever connected it ends the lanes for all threads, whose pending and
   * later calls are ERR_CLOSED as well; a thread that attached leaves, and the others go on.
   */
  close(): Promise<void>
}

export interface Fabric {
  /**
   * Which of these providers work here, towards `node` (initiator) or from `source` (target). Loading libfabric takes
   * tens of milliseconds the first time: call early, it runs off the event loop.
   */
  probe(providers: readonly ProviderName[], where: { node?: string; source?: string }): Promise<ProviderReport[]>
  listen(options: ListenOptions): Promise<Service>
  connect(options: ConnectOptions): Promise<Lanes>
}
