import t from 'tap'
import { Preloaded } from '../fixture/preloaded.js'

t.test('a machine without libfabric has no providers and says why', async t => {
  const { stdout, status } = new Preloaded(t, 'absent-libfabric.c').run(
    new URL('absent-libfabric-child.js', import.meta.url),
  )
  const { report, listening, connecting } = JSON.parse(stdout)
  t.match(report.reason, /libfabric\.so\.1/)
  t.equal(report.offer, undefined)
  t.equal(listening, 'ERR_LIBFABRIC_MISSING')
  t.equal(connecting, 'ERR_LIBFABRIC_MISSING')
  t.equal(status, 0)
})
