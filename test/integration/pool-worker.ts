import { parentPort, workerData } from 'node:worker_threads'
import { Pool } from '../../initiator/index.js'
import { Load } from './load.js'
import type { HostOptions } from './target-host.js'

/** A thread with a pool of its own, targets included. It says 'open' and then what `how` asks for. */
const { how, set, options } = workerData as { how: string; set: string; options: HostOptions }
const say = (message: unknown) => parentPort?.postMessage(message)
const pool = await Pool.open(set, { remote: { ...options, lanes: 2 } })
const load = new Load(pool)

const ways: Readonly<Record<string, () => unknown>> = {
  async close() {
    for (let at = 0; at < 50; at++) await load.persist()
    say({ confirmed: load.confirmed.length, failures: load.failures.length })
    await pool.close()
  },
  /** Ends with its event loop. */
  return: () => load.persist(),
  async busy() {
    await load.persist()
    say('busy')
    await load.untilFailure(16, 1)
  },
  async blocked() {
    await load.persist()
    say('busy')
    load.untilFailureSync(1)
  },
}

say('open')
await ways[how]?.()
