import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { isRpmemError } from '../../core/index.js'
import { Pool, type PoolToken } from '../../index.js'

/** What a thread is to do with a pool that another has opened. */
export interface Errand {
  readonly how: string
  readonly token: PoolToken
  /** The range that belongs to the thread. */
  readonly offset: number
  readonly length: number
}

const { how, token, offset, length } = workerData as Errand
const pool = Pool.attach(token)
const piece = 256
const say = (message: unknown) => parentPort?.postMessage(message)
const codeOf = (error: unknown) => (isRpmemError(error) ? error.code : String(error))

/** The next piece of the range, filled with what nobody else writes there. */
function* pieces(salt: number): Generator<number> {
  for (let at = offset; at < offset + length; at += piece) {
    const view = pool.view(at, piece)
    for (let byte = 0; byte < piece; byte++) view[byte] = (13 * (at + byte) + (at >>> 8) + salt) & 0xff
    yield at
  }
}

/** Everything in every form there is; the last round decides what the replicas hold. */
async function write(): Promise<void> {
  for (const at of pieces(1)) pool.persistSync(at, piece)
  const pending: Promise<unknown>[] = []
  for (const at of pieces(2)) pending.push(pool.persist(at, piece))
  await Promise.all(pending)
  for (const at of pieces(3)) pool.memcpyPersistSync(at, pool.view(at, piece).slice(), { noDrain: true })
  await pool.drain()
  for (const at of pieces(4)) pool.flush(at, piece)
  pool.drainSync()
}

const ways: Readonly<Record<string, () => unknown>> = {
  async write() {
    const { state, replicas } = pool
    await write()
    say({ state, replicas: replicas.map(({ name, kind, transport }) => [name, kind, transport?.provider]) })
    await pool.close()
  },
  /** Until it fails; then it tells how each form fails, and what the pool says of itself. */
  async untilFailure() {
    const holding = setTimeout(() => {}, 20_000)
    const lost = once(pool, 'replica-lost', { signal: AbortSignal.timeout(20_000) })
    say('at work')
    const ends = await Promise.all(Array.from({ length: 8 }, (_, n) => again(n * piece)))
    if (!ends.includes('ERR_CLOSED')) await lost
    else lost.catch(() => {})
    clearTimeout(holding)
    const sync = await Promise.resolve()
      .then(() => pool.persistSync(offset, piece))
      .catch(codeOf)
    say({ ends, sync, state: pool.state, failures: pool.replicas.map(({ failure }) => failure && codeOf(failure)) })
    await pool.close()
  },
  blocked() {
    say('at work')
    try {
      for (;;) pool.persistSync(offset, piece)
    } catch (error) {
      say({ ends: [codeOf(error)] })
    }
  },
}

async function again(at: number): Promise<string> {
  try {
    for (;;) await pool.persist(offset + at, piece)
  } catch (error) {
    return codeOf(error)
  }
}

await ways[how]?.()
