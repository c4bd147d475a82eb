import t from 'tap'
import { proveSeeds } from './seeds.js'

t.setTimeout(900_000)

t.test('seeds 1 to 10,000: nothing that was acknowledged is missing, and all comes into step', t =>
  proveSeeds(t, 1, 10_000),
)
