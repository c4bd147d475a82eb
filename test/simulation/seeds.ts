import type { Test } from 'tap'
import { type SimulateOptions, simulate } from './world.js'

/** Every one of these seeds must end without a violation. */
export async function proveSeeds(t: Test, from: number, count: number): Promise<void> {
  let [acknowledged, faults] = [0, 0]
  for (let seed = from; seed < from + count; seed++) {
    const outcome = await simulate(seed)
    acknowledged += outcome.acknowledged
    faults += outcome.faults
    if (outcome.violation === undefined) continue
    t.fail(`seed ${seed}: ${outcome.violation}; again: npm run sim -- --seeds 1 --from ${seed} --trace`)
    return
  }
  t.ok(acknowledged > count && faults > count, `${acknowledged} writes acknowledged through ${faults} faults`)
}

/** The first violation that one of the first `most` seeds shows. */
export async function firstViolation(most: number, options: SimulateOptions = {}): Promise<string | undefined> {
  for (let seed = 1; seed <= most; seed++) {
    const { violation } = await simulate(seed, options)
    if (violation !== undefined) return violation
  }
  return undefined
}
