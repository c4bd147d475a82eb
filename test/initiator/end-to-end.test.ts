import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { attributesEqual, MiB, type PoolAttributes, zeroAttributes } from '../../core/index.js'
import { type ConnectOptions, NativeMemory, nativeFabric } from '../../fabric-native/index.js'
import { Pool, RemotePool, type RemotePoolCreateOptions, readEnvironment } from '../../initiator/index.js'
import { freePort, startOpenSshServer } from '../fixture/open-ssh-server.js'
import { type RemoteNode, type RemoteNodeOptions, startRemoteNode } from '../fixture/remote-node.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { processIsThere, within } from '../integration/process-end.js'

const size = 8 * MiB

const attributes: PoolAttributes = {
  ...zeroAttributes(),
  signature: Buffer.from('ENDTOEND'),
  major: 1,
  poolsetUuid: Buffer.alloc(16, 1),
  uuid: Buffer.alloc(16, 2),
  nextUuid: Buffer.alloc(16, 3),
  prevUuid: Buffer.alloc(16, 4),
  userFlags: Buffer.alloc(16, 5),
}

interface Bed {
  readonly node: RemoteNode
  readonly memory: NativeMemory
  readonly part: string
  create(options?: RemotePoolCreateOptions): Promise<RemotePool>
  open(options?: RemotePoolCreateOptions): Promise<RemotePool>
}

async function bed(t: Test, options: RemoteNodeOptions = {}): Promise<Bed> {
  const node = await startRemoteNode(t, options)
  node.writeSet('a.set', 'PMEMPOOLSET\n8M PARTS/a\n')
  const memory = NativeMemory.anonymous(size)
  t.teardown(() => memory.close())
  const defaults = { ...node.options, lanes: 2, environment: readEnvironment({ RPMEM_ENABLE_SOCKETS: '1' }) }
  const closing = (pool: RemotePool) => {
    t.teardown(() => pool.close().catch(() => {}))
    return pool
  }
  return {
    node,
    memory,
    part: join(node.parts, 'a'),
    create: async more =>
      closing(await RemotePool.create(node.address, 'a.set', memory, { ...defaults, attributes, ...more })),
    open: async more => closing(await RemotePool.open(node.address, 'a.set', memory, { ...defaults, ...more })),
  }
}

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 31 + 7) & 0xff)
const inFile = (file: string, offset: number, length: number) => readFileSync(file).subarray(offset, offset + length)

/** The watchdog holds no program; a test has to. */
function lossOf(pool: RemotePool): Promise<number> {
  const before = performance.now()
  return new Promise((resolve, reject) => {
    const holding = setTimeout(() => reject(new Error('the loss was never told')), 10_000)
    pool.once('lost', () => {
      clearTimeout(holding)
      resolve(performance.now() - before)
    })
  })
}

t.test('a pool is created, written, read, closed, opened and removed', async t => {
  const { node, memory, part, create, open } = await bed(t)
  const pool = await create()
  t.match(pool.transport, {
    provider: 'tcp',
    persistMethod: 'GPSPM',
    why: [{ provider: 'verbs' }, { chosen: true }, {}],
  })
  memory.view(4096, 70_000).set(pattern(70_000))
  pool.persistSync(4096, 64)
  await pool.persist(4096, 70_000)
  sameBytes(t, inFile(part, 4096, 70_000), pattern(70_000), 'in the part file')
  const bytes = new Uint8Array(70_000)
  await pool.read(4096, bytes)
  sameBytes(t, bytes, pattern(70_000), 'read back')
  const daemon = node.daemon()
  await pool.close()
  t.type(await within(5000, () => !processIsThere(daemon)), 'number', 'the daemon has ended')
  const again = await open()
  t.ok(again.attributes && attributesEqual(again.attributes, attributes))
  await again.close()
  await RemotePool.remove(node.address, 'a.set', node.options)
  t.same(node.partFiles(), [])
  await t.rejects(RemotePool.remove(node.address, 'a.set', node.options), { code: 'ERR_PART_MISSING', errno: 2 })
  await RemotePool.remove(node.address, 'a.set', { ...node.options, force: true, removePoolSet: true })
  await t.rejects(open(), { code: 'ERR_POOLSET_MISSING' })
})

t.test('a daemon killed by SIGKILL fails what is under way, and the pool opens again', async t => {
  const { node, memory, create, open } = await bed(t)
  const pool = await create()
  memory.view(4096, 64).set(pattern(64))
  await pool.persist(4096, 64)
  const loss = lossOf(pool)
  process.kill(node.daemon(), 'SIGKILL')
  t.ok((await loss) < 3000, 'noticed in time')
  await t.rejects(pool.persist(4096, 64), { code: 'ERR_TARGET_LOST' })
  t.throws(() => pool.persistSync(4096, 64), { code: 'ERR_TARGET_LOST' })
  await pool.close()
  const again = await open()
  const bytes = new Uint8Array(64)
  again.readSync(4096, bytes)
  sameBytes(t, bytes, pattern(64), 'what was confirmed is there')
})

t.test('a stopped daemon is noticed within three seconds and no call outlives its deadline', async t => {
  const { node, create } = await bed(t)
  const pool = await create()
  const daemon = node.daemon()
  t.teardown(() => {
    try {
      process.kill(daemon, 'SIGCONT')
    } catch {}
  })
  const loss = lossOf(pool)
  process.kill(daemon, 'SIGSTOP')
  const pending = t.rejects(pool.persist(4096, 64), { name: 'RpmemError', durability: 'unknown' })
  t.ok((await loss) < 3000, 'noticed in time')
  await pending
})

t.test('a blocking persist to a stopped daemon ends at its deadline', async t => {
  const { node, create } = await bed(t)
  const pool = await create()
  const daemon = node.daemon()
  process.kill(daemon, 'SIGSTOP')
  t.teardown(() => process.kill(daemon, 'SIGCONT'))
  const before = performance.now()
  t.throws(() => pool.persistSync(4096, 64, { deadlineMs: 500 }), { code: 'ERR_DEADLINE' })
  t.ok(performance.now() - before < 1500, 'in time')
})

t.test('a closed connection ends the daemon and leaves no process', async t => {
  const { node, memory, create } = await bed(t)
  const pool = await create()
  const daemon = node.daemon()
  memory.view(4096, 64).set(pattern(64))
  pool.persistSync(4096, 64)
  await pool.close()
  t.type(await within(5000, () => !processIsThere(daemon)), 'number', 'the daemon has ended')
  t.match(node.daemonLog(), /pool closed: 1 messages/)
})

t.test('our daemon is spoken to in the PMDK dialect when it does not negotiate', async t => {
  const { memory, part, create, open } = await bed(t, { pmdk: true, environment: { RPMEM_ENABLE_SOCKETS: '1' } })
  const pool = await create()
  t.match(pool.transport, { provider: 'sockets' })
  memory.view(4096, 20_000).set(pattern(20_000))
  pool.persistSync(4096, 20_000)
  sameBytes(t, inFile(part, 4096, 20_000), pattern(20_000), 'in the part file')
  await pool.setAttributes({ ...attributes, major: 2 })
  await pool.close()
  const again = await open()
  t.equal(again.attributes?.major, 2)
  await again.close()
})

t.test('a pool set with REPLICA lines is mirrored to two nodes', async t => {
  const nodes = [await startRemoteNode(t), await startRemoteNode(t)]
  for (const node of nodes) node.writeSet('r.set', 'PMEMPOOLSET\n8M PARTS/r\n')
  const [first, second] = nodes as [RemoteNode, RemoteNode]
  const local = join(first.folder, 'local.set')
  writeFileSync(
    local,
    `PMEMPOOLSET\n8M ${first.folder}/master\nREPLICA ${first.address} r.set\nREPLICA ${second.address} r.set\n`,
  )
  const script = join(first.folder, 'either')
  writeFileSync(
    script,
    `#!/bin/sh\nset -- "$@"\ncase $SSH_CONNECTION in *" ${first.port}") exec ${first.command} "$@";; *) exec ${second.command} "$@";; esac\n`,
  )
  chmodSync(script, 0o755)
  const remote = {
    command: script,
    lanes: 2,
    ssh: {
      ...first.options.ssh,
      knownHostsFiles: nodes.map(node => node.knownHostsFile),
      identityFiles: nodes.map(node => node.identityFile),
    },
  }
  const pool = await Pool.create(local, { signature: 'MIRRORED', remote })
  t.ok(pool instanceof Pool)
  pool.view(0, 5000).set(pattern(5000))
  pool.persistSync(0, 5000)
  for (const node of nodes) sameBytes(t, inFile(join(node.parts, 'r'), 4096, 5000), pattern(5000), node.address)
  await pool.close()
  const again = await Pool.open(local, { remote })
  t.same(
    again.replicas.map(({ kind, transport }) => [kind, transport?.provider, transport?.why.length]),
    [
      ['local', undefined, undefined],
      ['remote', 'tcp', 3],
      ['remote', 'tcp', 3],
    ],
  )
  const lost = new Promise(resolve => {
    const holding = setTimeout(() => t.fail('the loss was never told'), 10_000)
    again.once('replica-lost', loss => {
      clearTimeout(holding)
      resolve(loss)
    })
  })
  process.kill(second.daemon(), 'SIGKILL')
  t.match(await lost, { kind: 'remote', error: { code: 'ERR_TARGET_LOST' } })
  t.throws(() => again.persistSync(0, 64), { code: 'ERR_PERSIST' })
  await again.close()
})

t.test('a pool whose second target fails leaves nothing on the first', async t => {
  const node = await startRemoteNode(t)
  node.writeSet('r.set', 'PMEMPOOLSET\n8M PARTS/r\n')
  const local = join(node.folder, 'local.set')
  writeFileSync(
    local,
    `PMEMPOOLSET\n8M ${node.folder}/master\nREPLICA ${node.address} r.set\nREPLICA ${node.address} missing.set\n`,
  )
  await t.rejects(Pool.create(local, { remote: { ...node.options, lanes: 1 } }), { code: 'ERR_POOLSET_MISSING' })
  t.same(node.partFiles(), [])
  t.throws(() => readFileSync(join(node.folder, 'master')), { code: 'ENOENT' })
})

const unready = [
  { name: 'no rpmemd at all', command: '/nowhere/rpmemd', code: 'ERR_RPMEMD_MISSING' },
  { name: 'a file that is no program', command: '/etc/passwd', code: 'ERR_RPMEMD_MISSING' },
  { name: 'a program that ends at once', command: 'true', code: 'ERR_RPMEMD_EXITED' },
  { name: 'a program that complains', command: 'ls /nowhere', code: 'ERR_RPMEMD_EXITED' },
  { name: 'a chatty shell', command: 'echo Welcome to this machine; cat #', code: 'ERR_REMOTE_NOISE' },
  { name: 'wrong options', command: `${process.execPath} -e process.exit(255)`, code: 'ERR_RPMEMD_EXITED' },
] as const

t.test('a target that is not ready has its own error', async t => {
  const { open } = await bed(t)
  for (const { name, command, code } of unready) await t.rejects(open({ command }), { code }, name)
})

t.test('a login shell that talks is ERR_REMOTE_NOISE with what it says', async t => {
  const { open, node } = await bed(t, { config: [`ForceCommand echo 'Have a nice day'; exec $SSH_ORIGINAL_COMMAND`] })
  await t.rejects(open(), { code: 'ERR_REMOTE_NOISE', facts: { text: /Have a nice day/ } })
  t.same(node.partFiles(), [])
})

t.test('RPMEM_SSH and RPMEM_CMD reach the target through the real ssh', async t => {
  const { node, memory } = await bed(t)
  const wrapper = join(node.folder, 'wrapper')
  writeFileSync(
    wrapper,
    `#!/bin/sh\nexec ssh -F none -o UserKnownHostsFile=${node.knownHostsFile} -i ${node.identityFile} "$@"\n`,
  )
  chmodSync(wrapper, 0o755)
  const environment = readEnvironment({ RPMEM_SSH: wrapper, RPMEM_CMD: node.command })
  const pool = await RemotePool.create(node.address, 'a.set', memory, { attributes, lanes: 1, environment })
  pool.persistSync(4096, 64)
  const daemon = node.daemon()
  await pool.close({ remove: true })
  t.type(await within(5000, () => !processIsThere(daemon)), 'number', 'the daemon has ended')
  t.same(node.partFiles(), [])
})

t.test('what the target refuses leaves nothing behind', async t => {
  const { node, memory, create } = await bed(t)
  node.writeSet('small.set', 'PMEMPOOLSET\n1M PARTS/small\n8M PARTS/large\n')
  node.writeSet('rep.set', 'PMEMPOOLSET\n8M PARTS/rep\nREPLICA\n8M PARTS/rep2\n')
  node.writeSet('bad.set', 'PMEMPOOLSET\n8Q PARTS/bad\n')
  node.writeSet('less.set', 'PMEMPOOLSET\n4M PARTS/less\n')
  const refusals = [
    ['nowhere.set', 'ERR_POOLSET_MISSING'],
    ['../pools/a.set', 'ERR_POOLSET_OUTSIDE'],
    ['/etc/passwd', 'ERR_POOLSET_OUTSIDE'],
    ['small.set', 'ERR_PART_SIZE'],
    ['rep.set', 'ERR_POOLSET_UNSUITABLE'],
    ['bad.set', 'ERR_POOLSET_SYNTAX'],
    ['less.set', 'ERR_POOL_SIZE'],
  ] as const
  for (const [set, code] of refusals) {
    await t.rejects(RemotePool.create(node.address, set, memory, { ...node.options, attributes }), { code }, set)
  }
  t.same(node.partFiles(), [])
  const pool = await create()
  await t.rejects(create(), { code: 'ERR_POOL_BUSY' })
  await pool.close()
  await t.rejects(create(), { code: 'ERR_PART_EXISTS' })
})

t.test('a target is reached over IPv6, lanes included', async t => {
  const { memory, part, create } = await bed(t, { listen: '::1' })
  const pool = await create()
  memory.view(4096, 64).set(pattern(64))
  pool.persistSync(4096, 64)
  sameBytes(t, inFile(part, 4096, 64), pattern(64), 'in the part file')
})

t.test('behind a jump host the lanes go to the address that the target names', async t => {
  const gate = await startOpenSshServer(t)
  const { node, memory, part } = await bed(t)
  const configFile = join(node.folder, 'config')
  const knownHostsFiles = [node.knownHostsFile, gate.knownHostsFile]
  const identityFiles = [node.identityFile, gate.identityFile]
  writeFileSync(
    configFile,
    [
      `Host node2\n HostName 127.0.0.1\n Port ${node.port}\n ProxyJump 127.0.0.1:${gate.port}`,
      `Host *\n UserKnownHostsFile ${knownHostsFiles.join(' ')}`,
      ...identityFiles.map(file => ` IdentityFile ${file}`),
    ].join('\n'),
  )
  const ssh = { home: node.folder, configFile }
  const options = { attributes, command: node.command, ssh, lanes: 1 }
  const pool = await RemotePool.create('node2', 'a.set', memory, options)
  memory.view(4096, 64).set(pattern(64))
  pool.persistSync(4096, 64)
  sameBytes(t, inFile(part, 4096, 64), pattern(64), 'in the part file')
  await pool.close({ remove: true })
  t.same(node.partFiles(), [])
})

t.test('a closed data port is ERR_PORT_UNREACHABLE, and the pool that was created is gone', async t => {
  const { node, create } = await bed(t)
  const port = await freePort()
  const fabric = { ...nativeFabric, connect: (options: ConnectOptions) => nativeFabric.connect({ ...options, port }) }
  await t.rejects(create({ fabric }), { code: 'ERR_PORT_UNREACHABLE' })
  t.same(node.partFiles(), [])
})

t.test('a lane with another secret is refused, and the pool that was created is gone', async t => {
  const { node, create } = await bed(t)
  const tokens = [new Uint8Array(32), new Uint8Array(32)]
  const fabric = { ...nativeFabric, connect: (options: ConnectOptions) => nativeFabric.connect({ ...options, tokens }) }
  await t.rejects(create({ fabric }), { code: 'ERR_IN_BAND_REFUSED' })
  t.same(node.partFiles(), [])
})
