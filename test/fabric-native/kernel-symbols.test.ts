import t from 'tap'
import { Preloaded } from '../fixture/preloaded.js'

t.test(
  'libfabric does not read the symbols of the kernel where that can be forbidden, and nobody else is kept from it',
  async t => {
    const child = new Preloaded(t, 'observed-fopen.c').run(new URL('kernel-symbols-child.js', import.meta.url))
    const { found, read } = JSON.parse(child.stdout)
    t.ok(found.includes('tcp'), 'the providers are there all the same')
    t.strictSame(read, [true, true], 'the other threads read what they like')
    // A libfabric that asks for nothing has nothing to be forbidden.
    const expected = child.stderr.includes('landlock there') ? 'symbols closed' : 'symbols open'
    const asked = child.stderr.split('\n').filter(line => line.startsWith('symbols'))
    t.ok(
      asked.every(line => line === expected),
      asked.join(', '),
    )
  },
)
