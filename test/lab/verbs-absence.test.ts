import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { rdmaAddress } from './rdma-address.js'
import { pattern, verbsNode } from './verbs-node.js'

/** Takes the RDMA device away for the rest of the test; what uses it is disconnected, as if its card had been pulled. */
function withoutDevice(t: Test): void {
  const device = ['rdma', 'link', 'add', 'rxe0', 'type', 'rxe', 'netdev', 'eth0'] as const
  execFileSync('rdma', ['link', 'delete', 'rxe0'])
  t.teardown(() => execFileSync(device[0], device.slice(1)))
}

/** Words that run a command without the right to pass the limit on locked memory, and with 64 KiB of it. */
const confined = ['setpriv', '--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock', 'prlimit', '--memlock=65536']

t.test('a target that may lock 64 KiB says so, with the remedy', async t => {
  const { node, create } = await verbsNode(t)
  const command = join(node.folder, 'confined')
  writeFileSync(command, `#!/bin/sh\nexec ${confined.join(' ')} ${node.command} "$@"\n`)
  chmodSync(command, 0o755)
  await t.rejects(create({ command }), { code: 'ERR_LOCKED_MEMORY', hint: /RLIMIT_MEMLOCK/ })
  t.same(node.partFiles(), [])
})

t.test('an initiator that may lock 64 KiB says so, and leaves no pool', async t => {
  const { node } = await verbsNode(t)
  const child = fileURLToPath(new URL('locked-memory-child.js', import.meta.url))
  const [program = '', ...words] = [...confined, process.execPath, child, node.address, JSON.stringify(node.options)]
  const { stdout } = spawnSync(program, words, { encoding: 'utf8', timeout: 120_000 })
  t.equal(stdout, 'ERR_LOCKED_MEMORY\n')
  t.same(node.partFiles(), [])
})

t.test('a device that disappears loses the target, and the next opening takes tcp', async t => {
  const { create, open } = await verbsNode(t, { listen: rdmaAddress() ?? '' })
  const pool = await create()
  t.equal(pool.transport.provider, 'verbs')
  pool.persistSync(4096, 64)
  withoutDevice(t)
  t.throws(() => pool.persistSync(4096, 64), { name: 'RpmemError', durability: 'unknown' })
  await pool.close()
  const again = await open()
  t.equal(again.transport.provider, 'tcp')
  again.persistSync(4096, 64)
  await again.close()
})

// At the end: libfabric lists devices once for a process, so after this test it knows of none.
t.test('where there is no device, tcp carries the pool and says why', async t => {
  const { create, memory } = await verbsNode(t, { listen: rdmaAddress() ?? '' })
  withoutDevice(t)
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
