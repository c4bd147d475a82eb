import { arenaSeeds, openForeign } from '../arena-target.js'
import type { FuzzTarget } from '../fuzz-target.js'

export const target: FuzzTarget = {
  claim: 'A foreign data file is opened at a checkpoint that recovery keeps, or is damaged or foreign',
  seeds: arenaSeeds('data'),
  maxSize: 96 * 1024,
  smokeRuns: 20_000,
  run: input => openForeign('data', input),
}
