import { once } from 'node:events'
import { RpmemError } from '../../core/index.js'
import { Pool } from '../../initiator/index.js'
import { say } from '../fixture/say.js'
import { Load } from './load.js'
import type { HostOptions } from './target-host.js'

/** An initiator that tells how it learns that its target is lost: `how`, path of the pool set, options as JSON. */
const [how = '', set = '', options = '{}'] = process.argv.slice(2)
const remote = { ...(JSON.parse(options) as HostOptions), lanes: 2 }
const pool = how === 'create' ? await Pool.create(set, { remote }) : await Pool.open(set, { remote })
const load = new Load(pool)

const ways: Readonly<Record<string, () => unknown>> = {
  create: () => say('created'),
  async idle() {
    await load.persist()
    say('ready')
    // The watchdog holds no program.
    const holding = setInterval(() => {}, 1000)
    const [{ error }] = await once(pool, 'replica-lost')
    clearInterval(holding)
    return error
  },
  async async() {
    for (let at = 0; at < 10; at++) await load.persist()
    say('ready')
    await load.untilFailure(16, 16)
    return load.failures[0]
  },
  async sync() {
    for (let at = 0; at < 10; at++) await load.persist()
    say('ready')
    load.untilFailureSync(1)
    return load.failures[0]
  },
}

const error = await ways[how]?.()
if (error instanceof RpmemError) {
  const { code, durability = '' } = error
  say(JSON.stringify({ code, durability, slowestMs: load.slowestMs, confirmed: load.confirmed.length }))
}
await pool.close()
say('closed')
