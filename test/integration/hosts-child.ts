import { equal } from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { systemClock } from '../../core/index.js'
import { Pool } from '../../initiator/index.js'
import { say } from '../fixture/say.js'
import { Script } from './shape-proof.js'
import type { HostOptions } from './target-host.js'

/**
 * An initiator on a host of its own: `create` writes by every method of a pool and leaves in the file what must be found; `keep`
 * and `load` write while its targets come and go, until they are told to end. Path of the pool set, file, options as JSON.
 */
const [how = '', set = '', file = '', options = '{}', form = ''] = process.argv.slice(2)
const remote = { ...(JSON.parse(options) as HostOptions), lanes: 4 }

async function create(): Promise<void> {
  const pool = await Pool.create(set, { remote })
  const script = new Script(pool)
  await script.run({ equal })
  say(pool.replicas.map(replica => replica.transport?.provider ?? 'local').join(' '))
  await pool.close()
  writeFileSync(file, script.expected)
}

/** Says what becomes of each replica, and after the last line of input how many persists went well. */
async function keep(): Promise<void> {
  const clock = {
    nowMs: systemClock.nowMs,
    after: (ms: number, call: () => void) => systemClock.after(ms, call, 'holds'),
  }
  const resync = { backOff: { firstMs: 20, mostMs: 100 } }
  const pool = await Pool.open(set, { remote, policy: { onReplicaLost: 'degrade' }, resync, clock })
  pool.on('replica-state', ({ replica, state }) => say(`${replica} ${state}`))
  let ending = false
  process.stdin.once('data', () => {
    ending = true
  })
  await synced(pool)
  say('ready')
  let written = 0
  for (; !ending; written++) await pool.memsetPersist((written % 1000) * 4096, written % 251, 4096)
  await synced(pool)
  await pool.close()
  say(`${written}`)
  process.stdin.destroy()
}

const deadlineMs = 3000

/** Persists at random places without a pause, eight at a time or blocking, until it is told to end; then it says how it went. */
async function load(form: string): Promise<void> {
  const clock = {
    nowMs: systemClock.nowMs,
    after: (ms: number, call: () => void) => systemClock.after(ms, call, 'holds'),
  }
  const resync = { backOff: { firstMs: 20, mostMs: 500 } }
  const pool = await Pool.open(set, { remote, policy: { onReplicaLost: 'degrade', deadlineMs }, resync, clock })
  pool.on('replica-state', ({ replica, state }) => say(`${replica} ${state}`))
  const told = { ending: false, calls: 0, degraded: 0, slowestMs: 0 }
  process.stdin.once('data', () => {
    told.ending = true
  })
  await synced(pool)
  say('ready')
  let state = 1
  const place = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return [state % (pool.size - 40_000), 1 + (state >>> 18)] as const
  }
  const worker = async () => {
    for (; !told.ending; told.calls++) {
      const [offset, length] = place()
      pool.view(offset, length).fill(told.calls)
      const start = performance.now()
      const receipt = form === 'sync' ? pool.persistSync(offset, length) : await pool.persist(offset, length)
      told.slowestMs = Math.max(told.slowestMs, performance.now() - start)
      if (receipt.replicas.some(({ level }) => level === 'none')) told.degraded++
      // Signals, news and the end have to be heard as well.
      if (form === 'sync') await new Promise(resolve => setImmediate(resolve))
    }
  }
  await Promise.all(Array.from({ length: form === 'sync' ? 1 : 8 }, worker))
  await synced(pool)
  await pool.close()
  say(JSON.stringify(told))
  process.stdin.destroy()
}

async function synced(pool: Pool): Promise<void> {
  while (pool.state === 'degraded') await once(pool, 'replica-state')
}

await (how === 'create' ? create() : how === 'load' ? load(form) : keep())
say('closed')
