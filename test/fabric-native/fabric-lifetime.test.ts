import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { hasCode, pageSize } from '../../core/index.js'
import { connectPair, poolSize } from './compliance.js'
import { nativeBed } from './native-bed.js'
import { connectProcess } from './service-process.js'

const bed = nativeBed('tcp', 'rpmem', 'GPSPM')

async function ends(scenario: string): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  const script = fileURLToPath(new URL('fabric-exit-child.js', import.meta.url))
  const child = spawn(process.execPath, ['--expose-gc', script, scenario], { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const [code, signal] = await once(child, 'close', { signal: AbortSignal.timeout(20_000) })
  return { code, signal, stderr }
}

const natural = ['natural', 'exit', 'closing while it ends', 'forgotten']
const workers = [
  'worker natural',
  'worker exit',
  'worker busy exit',
  'worker terminated',
  'worker busy terminated',
  'worker deaf terminated',
  'many workers',
  'attached workers',
  'attached workers when the process exits',
  'owner terminated',
]

for (const scenario of [...natural, ...workers]) {
  t.test(`a process ends in peace with lanes open: ${scenario}`, async t => {
    t.match(await ends(scenario), { code: 0, signal: null, stderr: '' })
  })
}

for (const scenario of ['exception', 'listener throws']) {
  t.test(`a process ends with its exception and nothing else: ${scenario}`, async t => {
    t.match(await ends(scenario), { code: 1, signal: null, stderr: /Error: on purpose/ })
  })
}

t.test('close during synchronous and asynchronous work settles everything', async t => {
  for (let round = 0; round < 30; round++) {
    const { lanes, service, local, remote } = await connectPair(t, bed, 2)
    const pending = Array.from({ length: 200 }, (_, n) => lanes.persist(pageSize + n * 4096, 4096, { lane: n % 2 }))
    const settled = Promise.allSettled(pending)
    if (round % 3 === 0) lanes.persistSync(pageSize, 64)
    const first = round % 2 === 0 ? lanes : service
    const closing = first.close()
    t.equal((await settled).length, pending.length)
    await closing
    await lanes.close()
    await service.close()
    local.close()
    remote.close()
  }
})

t.test('calls made between the loss of the lanes and its notice settle at close', async t => {
  for (let round = 0; round < 10; round++) {
    const { lanes, service } = await connectPair(t, bed, 1)
    const closing = service.close()
    const pending: Promise<void>[] = []
    const until = performance.now() + 20
    while (performance.now() < until) pending.push(lanes.persist(pageSize, 64))
    const settled = Promise.allSettled(pending)
    await lanes.close()
    const rejections = (await settled).flatMap(result => (result.status === 'rejected' ? [result.reason] : []))
    t.ok(rejections.every(reason => hasCode(reason, 'ERR_TARGET_LOST', 'ERR_CLOSED')))
    await closing
  }
})

t.test('memory that is closed under its lanes and service stays valid for them', async t => {
  const { lanes, local, remote } = await connectPair(t, bed, 1)
  local.view(pageSize, 8).fill(7)
  local.close()
  remote.close()
  lanes.persistSync(pageSize, 8)
  const seen = new Uint8Array(8)
  await lanes.read(pageSize, seen)
  t.same(seen, new Uint8Array(8).fill(7))
})

t.test('a target sees its initiator go', async t => {
  const { lanes, service } = await connectPair(t, bed, 3)
  t.equal(service.counters().activeLanes, 3)
  await lanes.close()
  while (service.counters().activeLanes > 0) await new Promise(setImmediate)
  t.equal(service.counters().activeLanes, 0)
})

t.test('idle ends sleep', async t => {
  const { lanes } = await connectProcess(t, 'tcp', 4)
  lanes.persistSync(pageSize, poolSize - pageSize)
  const before = process.cpuUsage()
  await new Promise(resolve => setTimeout(resolve, 1000))
  const { user, system } = process.cpuUsage(before)
  t.ok(user + system < 200_000, `${user + system} µs of processor time in an idle second`)
})
