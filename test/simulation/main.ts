import { parseArgs } from 'node:util'
import { simulate } from './world.js'

/** `npm run sim -- --seeds 1000 --from 1`: one seed after the other, up to the first that fails; `--trace` tells what happens. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
})
const trace = values.trace ? console.log : undefined
const from = Number(values.from)
const count = Number(values.seeds)
const startMs = performance.now()
let [events, acknowledged, faults] = [0, 0, 0]
for (let seed = from; seed < from + count; seed++) {
  const outcome = await simulate(seed, { trace })
  events += outcome.events
  acknowledged += outcome.acknowledged
  faults += outcome.faults
  if (outcome.violation === undefined) continue
  console.log(`seed ${seed}: ${outcome.violation}`)
  console.log(`again: npm run sim -- --seeds 1 --from ${seed}`)
  process.exit(1)
}
const seconds = (performance.now() - startMs) / 1000
console.log(
  `${count} seeds from ${from}: no violation; ${acknowledged} writes acknowledged, ${faults} faults, ${events} events; ` +
    `${(count / seconds).toFixed(0)} seeds a second`,
)
