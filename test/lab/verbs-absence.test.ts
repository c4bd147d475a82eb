import { execFileSync } from 'node:child_process'
import t from 'tap'
import { rdmaAddress } from './rdma-address.js'
import { pattern, verbsNode } from './verbs-node.js'

t.test('where there is no device, tcp carries the pool and says why', async t => {
  const { create, memory } = await verbsNode(t, { listen: rdmaAddress() ?? '' })
  // Before this process has opened it: Soft-RoCE waits until nobody uses a device, and libfabric lists devices only once.
  execFileSync('rdma', ['link', 'delete', 'rxe0'])
  t.teardown(() => execFileSync('rdma', ['link', 'add', 'rxe0', 'type', 'rxe', 'netdev', 'eth0']))
  await t.rejects(create({ transport: { require: 'verbs' } }), {
    code: 'ERR_NO_PROVIDER',
    facts: { verbs: /there is no RDMA device/ },
  })
  const pool = await create()
  t.match(pool.transport, {
    provider: 'tcp',
    why: [{ provider: 'verbs', chosen: false, reason: /here: there is no RDMA device/ }, { chosen: true }, {}],
  })
  memory.view(4096, 64).set(pattern(64))
  pool.persistSync(4096, 64)
  await pool.close({ remove: true })
})
