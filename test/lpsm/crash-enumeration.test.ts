import t from 'tap'
import { seededRandom } from '../../core/index.js'
import { type Hunt, hunt } from './crash-hunt.js'
import { saboteurs } from './saboteurs.js'
import { record } from './workload.js'

t.setTimeout(900_000)

const steps = 20

async function huntSeeds(first: number, last: number, depth: number): Promise<Hunt> {
  const sum: Hunt = { states: 0, opened: 0, recoveries: 0, failures: [] }
  for (let seed = first; seed <= last; seed++) {
    const recording = await record(seededRandom(seed), { steps })
    const found = hunt(recording, { random: seededRandom(seed), samples: 20, depth })
    sum.states += found.states
    sum.opened += found.opened
    sum.recoveries += found.recoveries
    sum.failures.push(...found.failures.map(failure => `seed ${seed}: ${failure}`))
  }
  return sum
}

t.test('after a crash at any moment an arena is at a checkpoint that may be', { timeout: 600_000 }, async t => {
  const lives = await huntSeeds(1, 25, 0)
  t.same(lives.failures, [], 'seeds 1 to 25')
  const recoveries = await huntSeeds(26, 27, 2)
  t.same(recoveries.failures, [], 'seeds 26 and 27, with crashes of recoveries, and of recoveries from those')
  const states = lives.states + recoveries.states
  t.comment(
    `${states} states, of which ${lives.opened + recoveries.opened} differ and were opened; ` +
      `${recoveries.recoveries} recoveries that crashed in their turn`,
  )
  t.ok(states >= 1_000_000, `${states} states`)
  t.ok(recoveries.recoveries >= 100, `${recoveries.recoveries} recoveries`)
})

for (const [name, sabotage] of Object.entries(saboteurs)) {
  t.test(`it is noticed if ${name}`, { timeout: 300_000 }, async t => {
    const failures: string[] = []
    for (let seed = 1; seed <= 10 && failures.length === 0; seed++) {
      const recording = await record(seededRandom(seed), { steps, sabotage })
      failures.push(...hunt(recording, { random: seededRandom(seed), samples: 20 }).failures)
    }
    t.not(failures.length, 0)
    t.comment(failures[0])
  })
}
