import { hasCode, type PoolAttributes, RpmemError } from '../core/index.js'
import type { Lanes, Memory, ProviderName, ProviderReport } from '../fabric-native/index.js'
import { laneTokens, pmdkBufferSize } from '../wire/index.js'
import { unlessAborted } from './abortable-wait.js'
import {
  checkArguments,
  checkAttributes,
  defaultOpenDeadlineMs,
  fabricOf,
  lanesWanted,
  type RemotePoolOptions,
  type Target,
  targetOf,
} from './remote-pool-options.js'
import type { Grant, PoolRequest, Session } from './session.js'
import { startSession } from './session-start.js'
import { aborted } from './ssh-failure.js'
import { goodbyeMs, lossOf, silenceOf } from './target-loss.js'
import { candidates, chooseTransport, describeReasons, type TransportChoice, type TransportRules } from './transport.js'
import { Watchdog } from './watchdog.js'

/** A session with its lanes, from which a RemotePool is made. */
export interface Opened {
  readonly target: Target
  readonly set: string
  readonly size: number
  readonly session: Session
  readonly lanes: Lanes
  readonly lanesRequested: number
  readonly grant: Grant
  readonly choice: TransportChoice
  readonly closeDeadlineMs: number
}

/** Largest inline data asked for between our own ends; the fabric decides what it uses. */
const inlineSize = 256 * 1024

type Ask = (session: Session, request: PoolRequest) => Promise<Grant>

export const openOnTarget = (node: string, set: string, memory: Memory, options: RemotePoolOptions): Promise<Opened> =>
  begin(node, set, memory, options, false, (session, request) => session.open(request))

export async function createOnTarget(
  node: string,
  set: string,
  memory: Memory,
  options: RemotePoolOptions,
  attributes: PoolAttributes | undefined,
): Promise<Opened> {
  checkAttributes(attributes)
  return begin(node, set, memory, options, true, (session, request) => session.create(request, attributes))
}

async function begin(
  node: string,
  set: string,
  memory: Memory,
  options: RemotePoolOptions,
  created: boolean,
  ask: Ask,
): Promise<Opened> {
  const size = checkArguments(set, memory, options)
  const target = targetOf(node, options)
  const rules = rulesOf(options, target)
  // Loading libfabric takes about as long as SSH needs for its handshake.
  const probe = fabricOf(options).probe(candidates(rules), {})
  probe.catch(() => {})
  const session = await startSession({ ...target, signal: options.signal, openDeadlineMs: options.openDeadlineMs })
  const watchdog = watch(session, target, set)
  const abort = () => session.abandon(aborted(options.signal as AbortSignal))
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    if (options.signal?.aborted) throw aborted(options.signal)
    const lanesRequested = lanesWanted(options, target.environment)
    const settle = async (offers: Offers): Promise<Settled> => {
      const choice = chooseTransport(await probe, offers, rules)
      log(target, choice, session)
      const request = {
        poolSet: set,
        size,
        lanes: Math.min(lanesRequested, choice.maxLanes),
        provider: choice.provider,
        inlineSize: session.dialect === 'pmdk' ? pmdkBufferSize : inlineSize,
        claim: options.claim,
      }
      try {
        return { choice, request, grant: await ask(session, request) }
      } catch (error) {
        if (!offers || !hasCode(error, 'ERR_MEMORY_UNPINNABLE')) throw error
        // Only who has the pool can say so: the target without this provider.
        return settle(without(offers, choice.provider, error.message))
      }
    }
    const { choice, request, grant } = await settle(session.offers)
    // From here on there is a pool to be taken back, for which the session is needed.
    options.signal?.removeEventListener('abort', abort)
    const lanes = await connect(options, target, session, grant, request, memory, created)
    const closeDeadlineMs = options.openDeadlineMs ?? defaultOpenDeadlineMs
    return { target, set, size, session, lanes, lanesRequested, grant, choice, closeDeadlineMs }
  } catch (error) {
    session.abandon(error instanceof Error ? error : new Error(String(error)))
    throw error
  } finally {
    watchdog?.stop()
    options.signal?.removeEventListener('abort', abort)
  }
}

type Offers = Session['offers']

interface Settled {
  readonly choice: TransportChoice
  readonly request: PoolRequest
  readonly grant: Grant
}

const without = (offers: readonly ProviderReport[], provider: ProviderName, reason: string): ProviderReport[] =>
  offers.map(offer => (offer.provider === provider ? { provider, reason } : offer))

/** From here until the pool is handed over, a target that stops is lost at once, whatever is asked of it. */
function watch(session: Session, { clock, shell }: Target, set: string): Watchdog | undefined {
  const { promptPings, ping } = session
  if (!promptPings || !ping) return undefined
  const onSilent = (silentMs: number) => session.abandon(lossOf(`${shell.name} ${set}`, silenceOf(silentMs)))
  return new Watchdog({ clock, ping: () => ping.call(session), onSilent })
}

const rulesOf = ({ transport }: RemotePoolOptions, { environment }: Target): TransportRules => ({
  require: transport?.require,
  verbs: transport?.verbs ?? environment.verbs,
  sockets: transport?.sockets ?? environment.sockets,
})

function log({ log, shell }: Target, { provider, why }: TransportChoice, session: Session): void {
  log.write('info', `${shell.name}: ${session.software}, ${session.dialect} dialect, over ${provider}`)
  for (const line of describeReasons(why)) log.write('debug', `${shell.name}: transport ${line}`)
}

/** Lanes that do not come up end the session properly: a pool that it created is removed again. */
async function connect(
  options: RemotePoolOptions,
  target: Target,
  session: Session,
  grant: Grant,
  request: PoolRequest,
  memory: Memory,
  created: boolean,
): Promise<Lanes> {
  try {
    const lanes = lanesOf(grant, request)
    const connecting = fabricOf(options).connect({
      provider: request.provider,
      address: addressOf(session, grant, target),
      port: grant.port,
      memory,
      size: request.size,
      lanes,
      dialect: session.dialect,
      method: grant.method,
      rkey: grant.rkey,
      raddr: grant.raddr,
      inlineSize: Math.min(grant.inlineSize, request.inlineSize),
      ...(grant.secret && { tokens: laneTokens(grant.secret, lanes) }),
      ...(options.connectDeadlineMs !== undefined && { connectTimeoutMs: options.connectDeadlineMs }),
      ...workQueue(options, target),
    })
    return await lanesWhileWanted(connecting, session, options.signal)
  } catch (error) {
    await takeBack(session, created, target, options.signal)
    throw error
  }
}

/** What a target grants beyond what was asked for is not used, as in librpmem. */
function lanesOf(grant: Grant, request: PoolRequest): number {
  if (grant.lanes > 0) return Math.min(grant.lanes, request.lanes)
  throw new RpmemError('ERR_PROTOCOL', 'the target granted no lanes', { facts: { lanes: grant.lanes } })
}

/** Lanes that come up after the caller has turned away, or the target was lost, are ended. */
async function lanesWhileWanted(connecting: Promise<Lanes>, session: Session, signal?: AbortSignal): Promise<Lanes> {
  const lost = new Promise<never>((_, reject) => session.onLost(reject))
  try {
    return await Promise.race([signal ? unlessAborted(connecting, signal) : connecting, lost])
  } catch (error) {
    connecting.then(lanes => lanes.close()).catch(() => {})
    throw error
  }
}

/** A caller that has turned away does not wait for a target that is silent as well. */
async function takeBack(session: Session, created: boolean, target: Target, signal?: AbortSignal): Promise<void> {
  const giveUp = () => session.abandon(silenceOf(goodbyeMs))
  const cancel = signal?.aborted ? target.clock.after(goodbyeMs, giveUp, 'holds') : () => {}
  await session.close(created).catch((closing: unknown) => noteClosing(target, closing))
  cancel()
}

function noteClosing({ log, shell }: Target, error: unknown): void {
  log.write(
    'notice',
    `${shell.name}: the session did not close well: ${error instanceof Error ? error.message : error}`,
  )
}

function workQueue(options: RemotePoolOptions, { environment }: Target): { workQueueSize?: number } {
  const size = options.workQueueSize ?? environment.workQueueSize
  return size === undefined ? {} : { workQueueSize: size }
}

/** SSH itself has just shown which address leads there; behind a jump or an external client only the target can say. */
function addressOf(session: Session, grant: Grant, { address }: Target): string {
  const found = session.peerAddress ?? grant.address ?? address.host
  if (found !== '') return found
  throw new RpmemError('ERR_PORT_UNREACHABLE', 'the target named no address for the data path')
}
