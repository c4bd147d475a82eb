import t from 'tap'
import { seededRandom } from '../../core/index.js'
import { hunt } from './crash-hunt.js'
import { record } from './workload.js'

const seeds = [1, 2]
t.setTimeout(900_000)

const steps = 10

class Refused extends Error {
  readonly code: string

  constructor(code: string) {
    super(`${code}: refused`)
    this.code = code
  }
}

/** How many calls the life of this seed makes. */
async function countCalls(seed: number): Promise<number> {
  let calls = 0
  await record(seededRandom(seed), { steps, before: () => calls++ })
  return calls
}

for (const code of ['EIO', 'ENOSPC']) {
  for (const seed of seeds) {
    t.test(`seed ${seed}: whichever call fails with ${code}, no promise is broken`, { timeout: 300_000 }, async t => {
      const calls = await countCalls(seed)
      const failures: string[] = []
      let states = 0
      for (let failing = 1; failing <= calls; failing++) {
        let call = 0
        const before = (): void => {
          if (++call === failing) throw new Refused(code)
        }
        const recording = await record(seededRandom(seed), { steps, before })
        const found = hunt(recording, { random: seededRandom(seed), samples: 0, afterFailure: true })
        states += found.states
        failures.push(...found.failures.map(failure => `call ${failing}: ${failure}`))
      }
      t.same(failures, [])
      t.comment(`${calls} calls, ${states} states`)
      t.ok(calls > 30)
    })
  }
}
