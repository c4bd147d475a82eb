import { assert, RpmemError } from '../core/index.js'
import { loadBinding } from './binding.js'
import type {
  ConnectOptions,
  Fabric,
  Lanes,
  LanesToken,
  ListenOptions,
  ProviderName,
  ProviderReport,
  Service,
} from './fabric.js'
import type {
  NativeConnectOptions,
  NativeFabricFailure,
  NativeListenOptions,
  NativeProviderReport,
} from './fabric-binding.js'
import { fabricError } from './fabric-failure.js'
import type { Memory } from './memory.js'
import type { MemoryHandle } from './memory-binding.js'
import { NativeFabricLanes } from './native-lanes.js'
import { NativeMemory } from './native-memory.js'
import { NativeFabricService } from './native-service.js'

const defaultTimeoutMs = 30_000
const defaultWorkQueueSize = 50
/** Long enough that a peer which answers each answer finds the thread awake, short enough to cost nothing when idle. */
const defaultSpinUs = 100
const resultPairs = 512
const tokenSize = 32
/** FI_ENODATA of fi_errno(3). */
const noData = 61
const absence: Readonly<Record<ProviderName, string>> = {
  verbs: 'there is no RDMA device',
  tcp: 'libfabric has no TCP provider',
  sockets: 'libfabric has no sockets provider',
}

/** The fabric of this machine: libfabric (fabric(7)), opened at the first call. */
export const nativeFabric: Fabric = { probe, listen, connect }

async function probe(
  providers: readonly ProviderName[],
  where: { node?: string; source?: string },
): Promise<ProviderReport[]> {
  const binding = loadBinding()
  const source = where.source !== undefined
  const node = where.source ?? where.node ?? ''
  return Promise.all(
    providers.map(async provider => inWords(await binding.probeProvider({ provider, node, source }), node)),
  )
}

/** What libfabric means by "No data available" only who knows the provider can say. */
function inWords({ fiErrno, ...report }: NativeProviderReport, node: string): ProviderReport {
  if (report.offer || fiErrno !== noData) return report
  const where = node === '' ? '' : ` for ${node}`
  return { ...report, reason: `${absence[report.provider]}${where} (${report.reason})` }
}

async function listen(options: ListenOptions): Promise<Service> {
  const { provider, address, inlineSize, lanes } = options
  checkCount('lanes', lanes, 1)
  const { promise: connected, resolve, reject } = deferred()
  const native: NativeListenOptions = {
    ...{ provider, address, inlineSize, lanes, memory: handleOf(options.memory), size: options.size },
    pmdk: options.dialect === 'pmdk',
    tokens: tokensOf(options),
    apm: options.method === 'APM',
    peerAddress: options.peerAddress ?? '',
    acceptTimeoutMs: options.acceptTimeoutMs ?? defaultTimeoutMs,
    threads: options.threads ?? 0,
    spinUs: options.spinUs ?? defaultSpinUs,
    onConnected: (failure?: NativeFabricFailure) => {
      if (failure === undefined) resolve()
      else reject(fabricError(failure, 'the lanes were not connected', { address }))
    },
  }
  try {
    return new NativeFabricService(await loadBinding().listenForLanes(native), connected)
  } catch (failure) {
    throw fabricError(failure, `${provider} cannot listen on ${address}`, { provider, address })
  }
}

async function connect(options: ConnectOptions): Promise<Lanes> {
  const { provider, address, port, inlineSize, lanes, rkey, raddr } = options
  checkCount('lanes', lanes, 1)
  const results = new Int32Array(2 * resultPairs)
  const face = new NativeFabricLanes(results)
  const native: NativeConnectOptions = {
    ...{ provider, address, port, inlineSize, lanes, rkey, raddr },
    ...{ memory: handleOf(options.memory), size: options.size },
    pmdk: options.dialect === 'pmdk',
    apm: options.method === 'APM',
    tokens: tokensOf(options),
    connectTimeoutMs: options.connectTimeoutMs ?? defaultTimeoutMs,
    workQueueSize: options.workQueueSize ?? defaultWorkQueueSize,
    onEvent: count => face.onEvent(count),
  }
  try {
    return face.begin(await loadBinding().connectLanes(native, results))
  } catch (failure) {
    const what = `no connection to ${address} port ${port} over ${provider}`
    throw fabricError(failure, what, { provider, address, port })
  }
}

/**
 * The lanes that another thread of this process shared, for use by this one; the connections are the same.
 * @throws ERR_CLOSED if their owner has closed them meanwhile, or the token was never given out
 */
export function attachLanes(token: LanesToken): Lanes {
  const results = new Int32Array(2 * resultPairs)
  const face = new NativeFabricLanes(results, 'attached')
  try {
    return face.begin(loadBinding().attachLanes(token, count => face.onEvent(count), results))
  } catch (failure) {
    throw fabricError(failure, 'the lanes cannot be used by this thread')
  }
}

function handleOf(memory: Memory): MemoryHandle {
  assert(memory instanceof NativeMemory, 'the native fabric carries native memory')
  return memory.handle
}

function tokensOf(options: ListenOptions | ConnectOptions): readonly Uint8Array[] {
  if (options.dialect === 'pmdk') return []
  const tokens = options.tokens ?? []
  if (tokens.length >= options.lanes && tokens.every(token => token.length === tokenSize))
    return tokens.slice(0, options.lanes)
  const facts = { tokens: tokens.length, lanes: options.lanes }
  throw new RpmemError('ERR_ARGUMENT', `each of the ${options.lanes} lanes takes a token of ${tokenSize} bytes`, {
    facts,
  })
}

function checkCount(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return
  throw new RpmemError('ERR_ARGUMENT', `${name} must be a whole number from ${least} on, not ${value}`, {
    facts: { [name]: value },
  })
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve = () => {}
  let reject = (_: unknown) => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  // Whoever never asks for it must not be ended by its rejection.
  promise.catch(() => {})
  return { promise, resolve, reject }
}
