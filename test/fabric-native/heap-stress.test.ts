import t from 'tap'
import { stressHeap, stressSeed } from './heap-stress-run.js'

t.test(`threads in a small heap disturb nothing: as it is shipped, seed ${stressSeed}`, async t => {
  await stressHeap(t, ['-O2'], 20000)
})
