import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MiB, zeroAttributes } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { RemotePool, readEnvironment } from '../../initiator/index.js'
import { startRemoteNode } from '../fixture/remote-node.js'
import { sameBytes } from '../fixture/same-bytes.js'

/** Which persistency method the real daemon takes, and that bytes arrive by it (reference rpmem-protocol B5). */

interface Row {
  /** Of the daemon; FILE stands for a configuration file with `persist-apm = yes`. */
  readonly given: readonly string[]
  readonly storage: 'dax' | 'page'
  readonly dialect: 'pmdk' | 'rpmem'
  readonly method: 'APM' | 'GPSPM'
  readonly why: RegExp
}

const rows: readonly Row[] = [
  { given: [], storage: 'dax', dialect: 'pmdk', method: 'GPSPM', why: /persist-apm is not set/ },
  { given: ['--persist-general'], storage: 'dax', dialect: 'pmdk', method: 'GPSPM', why: /persist-apm is not set/ },
  { given: ['--persist-apm'], storage: 'dax', dialect: 'pmdk', method: 'APM', why: /allowed by persist-apm/ },
  { given: ['--config=FILE'], storage: 'dax', dialect: 'pmdk', method: 'APM', why: /allowed by persist-apm/ },
  { given: ['--persist-apm'], storage: 'page', dialect: 'pmdk', method: 'GPSPM', why: /does not lie on DAX/ },
  { given: ['--persist-apm'], storage: 'dax', dialect: 'rpmem', method: 'GPSPM', why: /over tcp the CPU copies/ },
]

const granularity = { dax: 'cache_line', page: 'page' } as const
const size = 8 * MiB
const attributes = { ...zeroAttributes(), signature: Buffer.from('METHODS1'), major: 1 }

for (const { given, storage, dialect, method, why } of rows) {
  const options = given.join(' ') || 'no option'
  t.test(`${options} on ${storage} means ${method} for an initiator of ${dialect}`, async t => {
    const config = join(t.testdir({ conf: 'persist-apm = yes # with a comment\n' }), 'conf')
    const node = await startRemoteNode(t, {
      arguments: given.map(option => option.replace('FILE', config)),
      environment: { PMEM2_FORCE_GRANULARITY: granularity[storage] },
      pmdk: dialect === 'pmdk',
    })
    node.writeSet('a.set', 'PMEMPOOLSET\n8M PARTS/a\n')
    const memory = NativeMemory.anonymous(size)
    t.teardown(() => memory.close())
    const environment = readEnvironment({ RPMEM_ENABLE_SOCKETS: '1' })
    const pool = await RemotePool.create(node.address, 'a.set', memory, { ...node.options, environment, attributes })
    t.teardown(() => pool.close().catch(() => {}))
    t.equal(pool.transport.persistMethod, method)
    t.match(node.daemonLog(), why)
    const range = memory.view(4096, 30_000)
    for (let at = 0; at < range.length; at++) range[at] = 1 + (at % 241)
    pool.persistSync(4096, 10_000)
    pool.persistSync(14_096, 10_000, { relaxed: true })
    pool.flush(24_096, 5000)
    pool.flush(29_096, 5000, { relaxed: true })
    pool.drainSync()
    await pool.close()
    sameBytes(t, readFileSync(join(node.parts, 'a')).subarray(4096, 34_096), range, 'in the part')
  })
}

t.test('a configuration that is wrong reaches the initiator with every mistake', async t => {
  for (const pmdk of [false, true]) {
    const conf = join(t.testdir({ conf: 'poolset-dir = pools\nlog-level = loud\n' }), 'conf')
    const node = await startRemoteNode(t, { arguments: [`--config=${conf}`], pmdk })
    writeFileSync(join(node.pools, 'a.set'), '')
    const memory = NativeMemory.anonymous(size)
    t.teardown(() => memory.close())
    const opened = RemotePool.open(node.address, 'a.set', memory, node.options)
    const code = pmdk ? 'ERR_RPMEMD_STARTUP' : 'ERR_CONFIG'
    const error: unknown = await opened.catch(reason => reason)
    t.match(error, { code, errno: 22 })
    const told = pmdk ? (error as { facts: { stderr: string } }).facts.stderr : String(error)
    t.match(told, /conf:1:15: poolset-dir: 'pools' is not an absolute path/)
    t.match(told, /conf:2:13: log-level: 'loud' is none of/)
  }
})
