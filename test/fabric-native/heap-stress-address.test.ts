import t from 'tap'
import { stressHeap, stressSeed } from './heap-stress-run.js'

t.test(
  `threads in a small heap disturb nothing: AddressSanitizer and UndefinedBehaviorSanitizer, seed ${stressSeed}`,
  async t => {
    await stressHeap(t, ['-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'], 4000)
  },
)
