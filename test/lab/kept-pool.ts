import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { systemClock } from '../../core/index.js'
import type { Pool, PoolOpenOptions, ReplicationOptions } from '../../initiator/index.js'

/** A pool of a guest whose replica may be lost and comes back while the pool is written to. */
export const keptOptions: PoolOpenOptions = {
  policy: { onReplicaLost: 'degrade' },
  resync: { backOff: { firstMs: 20, mostMs: 100 } },
  // Nothing else holds the process while it waits for the replica.
  clock: { nowMs: systemClock.nowMs, after: (ms, call) => systemClock.after(ms, call, 'holds') },
}

type Remote = NonNullable<ReplicationOptions['remote']>

const pidFile = '/tmp/kept.pid'

/** The same daemon, which writes down who it is. */
export const keptRemote = (remote: Remote): Remote => ({
  ...remote,
  command: `echo $$ > ${pidFile}; exec ${remote.command}`,
})

export const killKeptDaemon = (): boolean => process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL')

export async function synced(pool: Pool): Promise<void> {
  while (pool.state === 'degraded') await once(pool, 'replica-state')
}
