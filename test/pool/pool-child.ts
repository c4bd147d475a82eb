import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { hasCode } from '../../core/index.js'
import { Pool } from '../../pool/index.js'
import { say } from '../fixture/say.js'
import { recordWords, slotCount, slotSize } from './records.js'

/** A process of its own around one pool: `hold`, `create` or `write` and the path of a pool set. */
const [role, set] = process.argv.slice(2)
/** Keeps the pool open until standard input ends. */
async function hold(path: string): Promise<void> {
  const pool = await Pool.open(path)
  say('open')
  for await (const _ of process.stdin);
  await pool.close()
}

/** Says the code of the failure, and what is left beside the pool set. */
async function create(path: string): Promise<void> {
  const outcome = await Pool.create(path).then(
    pool => pool.close().then(() => 'created'),
    error => (hasCode(error, error.code) ? error.code : String(error)),
  )
  say(outcome)
  say(readdirSync(dirname(path)).join())
}

/** Writes records 1, 2, 3 … round and round, and says the number of each that was confirmed, until it is killed. */
async function write(path: string): Promise<void> {
  const pool = await Pool.open(path)
  for (let number = 1; ; number++) {
    pool.memcpyPersistSync((number % slotCount) * slotSize, recordWords(number))
    say(String(number))
  }
}

const roles: Readonly<Record<string, (path: string) => Promise<void>>> = { hold, create, write }
await roles[role ?? '']?.(set ?? '')
