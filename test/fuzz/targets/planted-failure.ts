import type { FuzzTarget } from '../fuzz-target.js'

/** Four nested branches: found in moments by whoever follows branches, and hardly ever by chance. */
export const target: FuzzTarget = {
  claim: 'A failure that coverage leads to is found',
  seeds: [],
  mustFail: true,
  smokeRuns: 1_000_000,
  run(input) {
    if (input[0] === 0x52) {
      if (input[1] === 0x50) {
        if (input[2] === 0x4d) {
          if (input[3] === 0x21) throw new Error('the planted failure')
        }
      }
    }
  },
}
