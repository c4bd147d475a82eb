import t from 'tap'
import { stressHeap, stressSeed } from './heap-stress-run.js'

t.test(`threads in a small heap disturb nothing: ThreadSanitizer, seed ${stressSeed}`, async t => {
  await stressHeap(t, ['-O1', '-fsanitize=thread'], 2500)
})
