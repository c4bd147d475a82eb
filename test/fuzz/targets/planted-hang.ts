import type { FuzzTarget } from '../fuzz-target.js'

export const target: FuzzTarget = {
  claim: 'An input that takes for ever is found',
  seeds: [],
  mustFail: true,
  run(input) {
    while (input[0] === 0x52 && input[1] === 0x50) {
      // For ever.
    }
  },
}
