import t from 'tap'
import { proveSeeds } from './seeds.js'

t.setTimeout(900_000)

t.test('seeds 10,001 to 20,000: nothing that was acknowledged is missing, and all comes into step', t =>
  proveSeeds(t, 10_001, 10_000),
)
