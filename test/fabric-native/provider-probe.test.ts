import t from 'tap'
import { nativeFabric } from '../../fabric-native/index.js'

t.test('a provider that libfabric does not offer says so in words, with those of libfabric behind', async t => {
  const [tcp] = await nativeFabric.probe(['tcp'], { node: 'no-such-host.invalid' })
  t.same(tcp, {
    provider: 'tcp',
    reason: 'libfabric has no TCP provider for no-such-host.invalid (libfabric: No data available)',
  })
  const [verbs] = await nativeFabric.probe(['verbs'], {})
  if (verbs?.offer) t.equal(verbs.offer.provider, 'verbs', 'this machine has an RDMA device')
  else t.equal(verbs?.reason, 'there is no RDMA device (libfabric: No data available)')
})
