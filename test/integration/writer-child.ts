import { Pool } from '../../initiator/index.js'
import { say } from '../fixture/say.js'
import { recordWords, slotCount, slotSize } from '../pool/records.js'
import type { HostOptions } from './target-host.js'

/** An initiator in a process of its own: `how`, path of the pool set, options of the host as JSON. */
const [how = '', set = '', options = '{}'] = process.argv.slice(2)
const remote = { ...(JSON.parse(options) as HostOptions), lanes: 2 }
const pool = await Pool.open(set, { remote })

/** Writes records 1, 2, 3 … round and round, and says the number of each that was confirmed. */
const ways: Readonly<Record<string, () => unknown>> = {
  sync() {
    for (let number = 1; ; number++) {
      pool.memcpyPersistSync((number % slotCount) * slotSize, recordWords(number))
      say(number)
    }
  },
  /** As many at a time as there are slots would overtake themselves, so each worker has slots of its own. */
  async async() {
    const width = 8
    const worker = async (first: number) => {
      for (let number = first; ; number += width) {
        await pool.memcpyPersist((number % (slotCount * width)) * slotSize, recordWords(number))
        say(number)
      }
    }
    await Promise.all(Array.from({ length: width }, (_, first) => worker(first + 1)))
  },
  /** Ends with the event loop, and never closes the pool. */
  return: () => say('done'),
  exit: () => process.exit(0),
  throw() {
    pool.persistSync(0, 64)
    throw new Error('nobody catches this')
  },
  reject: () => Promise.reject(new Error('nobody handles this')),
  /** A persist is under way when the program ends. */
  pending() {
    void pool.persist(0, pool.size)
    process.exit(0)
  },
  async persist() {
    await pool.persist(0, 64)
    say('done')
  },
}

say('open')
await ways[how]?.()
