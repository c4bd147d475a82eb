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
 * writes while its targets come and go, until it is told to end. Path of the pool set, file, options as JSON.
 */
const [how = '', set = '', file = '', options = '{}'] = process.argv.slice(2)
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

async function synced(pool: Pool): Promise<void> {
  while (pool.state === 'degraded') await once(pool, 'replica-state')
}

await (how === 'create' ? create() : keep())
say('closed')
