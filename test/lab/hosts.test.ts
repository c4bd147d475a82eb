import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { NativeMemory } from '../../fabric-native/index.js'
import { RemotePool, type RemotePoolCreateOptions } from '../../initiator/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { cutThere, leave, runThere } from './other-host.js'
import type { TargetHost } from './target-host.js'
import { attributes, patience, pattern, poolSize } from './verbs-node.js'

const host = JSON.parse(readFileSync('/run/lab/node.json', 'utf8')) as TargetHost
const memory = NativeMemory.anonymous(poolSize)
const options = optionsFor(host)
const device = 'type rxe netdev eth0'

function optionsFor({ command, identity, knownHosts }: TargetHost): RemotePoolCreateOptions {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, '.ssh'))
  const [identityFile, knownHostsFile] = [join(folder, 'identity'), join(folder, 'known_hosts')]
  writeFileSync(identityFile, identity, { mode: 0o600 })
  writeFileSync(knownHostsFile, knownHosts)
  const ssh = {
    ...{ home: folder, configFile: join(folder, 'no_config'), connectTimeoutMs: 100_000 },
    ...{ knownHostsFiles: [knownHostsFile], identityFiles: [identityFile] },
  }
  return { command, ssh, attributes, ...patience, lanes: 2 }
}

const create = (more: RemotePoolCreateOptions = {}) =>
  RemotePool.create(host.address, 'a.set', memory, { ...options, ...more })
const open = (more: RemotePoolCreateOptions = {}) =>
  RemotePool.open(host.address, 'a.set', memory, { ...options, ...more })

/** What is written here comes back from there. */
async function exercise(t: Tap, pool: RemotePool): Promise<void> {
  const bytes = pattern(50_000, pool.laneCount)
  memory.view(4096, bytes.length).set(bytes)
  pool.persistSync(4096, 64, { lane: pool.laneCount - 1 })
  await pool.persist(4096, 20_000)
  pool.flush(4096 + 20_000, 10_000)
  pool.flush(4096 + 30_000, 20_000, { relaxed: true })
  await pool.drain()
  const seen = new Uint8Array(bytes.length)
  await pool.read(4096, seen)
  sameBytes(t, seen, bytes, 'what the other machine has')
}

type Tap = Parameters<typeof sameBytes>[0]

t.test('a pool on another machine is created, written and read over verbs', async t => {
  const pool = await create()
  t.equal(pool.transport.provider, 'verbs')
  await exercise(t, pool)
  await pool.setAttributes({ ...attributes, major: 3 })
  await pool.close()
  const again = await open({ lanes: 16 })
  t.equal(again.attributes?.major, 3)
  t.equal(again.laneCount, 16)
  await exercise(t, again)
  await again.close()
})

t.test('where only the other machine has no device, tcp carries the pool', async t => {
  await runThere('rdma link delete rxe0')
  const pool = await open()
  t.match(pool.transport, {
    provider: 'tcp',
    why: [{ chosen: false, reason: /on the target: there is no RDMA device/ }, { chosen: true }, {}],
  })
  await exercise(t, pool)
  await pool.close()
  await t.rejects(open({ transport: { require: 'verbs' } }), { code: 'ERR_NO_PROVIDER' })
  await runThere(`rdma link add rxe0 ${device}`)
})

t.test('a machine whose plug is pulled is noticed, and no call outlives its deadline', async t => {
  const pools = [await open({ deadlineMs: 3000 })]
  const holding = setTimeout(() => {}, 60_000)
  for (const pool of pools) {
    t.equal(pool.transport.provider, 'verbs')
    await exercise(t, pool)
    const lost = new Promise<void>(resolve => pool.once('lost', () => resolve()))
    await cutThere()
    await t.rejects(pool.persist(4096, 64), { name: 'RpmemError', durability: 'unknown' })
    await lost
    t.throws(() => pool.persistSync(4096, 64), { name: 'RpmemError' })
    await pool.close()
  }
  clearTimeout(holding)
  leave()
})
