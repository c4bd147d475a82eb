import type { ProviderName, ProviderReport, ServiceCounters } from './fabric.js'
import type { MemoryHandle } from './memory-binding.js'

/** What went wrong inside the fabric half of the addon: enum FabricFailure in src/fabric-error.h, in its order. */
export const fabricFailures = [
  'none',
  'library-missing',
  'call',
  'locked-memory',
  'unpinnable-memory',
  'unreachable',
  'refused',
  'lost',
  'deadline',
  'closed',
  'protocol',
  'memory',
] as const
export type FabricFailureKind = (typeof fabricFailures)[number]

/** An error of the fabric half; `code` is a fi_errno, or an errno of the system. */
export interface NativeFabricFailure extends Error {
  readonly failure: number
  readonly call: string
  readonly code: number
}

/** Outcome of an operation: enum OperationStatus in src/operation.h. A positive one is the errno of the target's storage. */
export const laneStatus = { done: 0, down: -1, closed: -2, localMemory: -3, wrongArgument: -10 } as const

/** Bits of the `flags` of a range. */
export const rangeFlags = { relaxed: 1, deep: 2 } as const

/**
 * The lanes of one connection, as one thread uses them. Numbers are lane, offset, length and milliseconds until the deadline. What is not marked Sync
 * answers with a ticket (0 or more) whose end is told through `onEvent`, or with a status.
 */
export interface NativeLanes {
  readonly count: number
  /** Bytes of the pool. */
  readonly size: number
  /** For operations that name none. */
  readonly lane: number
  readonly address: string
  readonly port: string
  persistSync(lane: number, offset: number, length: number, flags: number, deadlineMs: number): number
  persist(lane: number, offset: number, length: number, flags: number, deadlineMs: number): number
  /** The ticket is redeemed by finishSync, or by watch. */
  start(lane: number, offset: number, length: number, flags: number, deadlineMs: number): number
  finishSync(ticket: number): number
  /** 1: the end will be told. 0: it is there already, to be taken by finishSync. */
  watch(ticket: number): number
  flush(lane: number, offset: number, length: number, flags: number): number
  drainSync(lane: number, deadlineMs: number): number
  drain(lane: number, deadlineMs: number): number
  readSync(lane: number, offset: number, into: Uint8Array, deadlineMs: number): number
  /** At most 8 MiB. */
  read(lane: number, offset: number, length: number, deadlineMs: number): number
  /** After a read has ended well: copies its bytes out and gives the ticket back. */
  takeRead(ticket: number, into: Uint8Array): number
  share(token: string): void
  lose(reason: string): void
  failure(): NativeFabricFailure | undefined
  close(): Promise<void>
}

/** `count` pairs of ticket and status stand in the results, or -1: the lanes are down. */
export type OnLanesEvent = (count: number) => void

export interface NativeService {
  readonly port: number
  readonly rkey: bigint
  readonly raddr: bigint
  readonly lanes: number
  counters(): ServiceCounters
  close(): Promise<void>
}

interface NativeEndOptions {
  readonly provider: ProviderName
  readonly address: string
  readonly memory: MemoryHandle
  readonly size: number
  readonly lanes: number
  readonly pmdk: boolean
  readonly inlineSize: number
  readonly tokens: readonly Uint8Array[]
}

export interface NativeConnectOptions extends NativeEndOptions {
  readonly port: number
  readonly apm: boolean
  readonly rkey: bigint
  readonly raddr: bigint
  readonly connectTimeoutMs: number
  readonly workQueueSize: number
  readonly onEvent: OnLanesEvent
}

export interface NativeListenOptions extends NativeEndOptions {
  readonly apm: boolean
  readonly peerAddress: string
  readonly acceptTimeoutMs: number
  /** 0: as the addon thinks fit. */
  readonly threads: number
  readonly spinUs: number
  readonly onConnected: (failure?: NativeFabricFailure) => void
}

/** `fiErrno`, positive, if it was libfabric that refused. */
export type NativeProviderReport = ProviderReport & { readonly fiErrno?: number }

/** The fabric part of the addon. */
export interface FabricBinding {
  probeProvider(options: { provider: ProviderName; node: string; source: boolean }): Promise<NativeProviderReport>
  connectLanes(options: NativeConnectOptions, results: Int32Array): Promise<NativeLanes>
  /** Throws NativeFabricFailure `closed` if no open lanes were shared under this token. */
  attachLanes(token: string, onEvent: OnLanesEvent, results: Int32Array): NativeLanes
  listenForLanes(options: NativeListenOptions): Promise<NativeService>
}
