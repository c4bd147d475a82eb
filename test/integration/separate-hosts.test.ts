import { readFileSync } from 'node:fs'
import t from 'tap'
import { pageSize } from '../../core/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { HostLab, linesUntil } from './host-lab.js'
import { type Network, networksAreAllowed, networksCanBeBad } from './separate-hosts.js'

const skip = networksAreAllowed() ? false : 'no network namespaces can be made here, so there are no separate hosts'
const noBadness = networksCanBeBad() ? false : 'the kernel cannot delay and lose packets (netem)'

const networks: readonly (readonly [name: string, network: Network, skip: string | false])[] = [
  ['IPv4', {}, skip],
  ['IPv6 only', { family: 6 }, skip],
  ['IPv6 only, packets of at most 1280 bytes', { family: 6, mtu: 1280 }, skip],
  ['IPv4, slow and losing packets', { badness: ['delay', '5ms', 'loss', '1%'] }, skip || noBadness],
]

for (const [name, network, reason] of networks) {
  t.test(`what is persisted is on both targets, hosts of their own: ${name}`, { skip: reason }, async t => {
    const lab = await HostLab.start(t, network)
    const child = lab.initiator('create')
    t.equal(await child.line(), 'local tcp tcp', child.errors)
    t.equal(await child.line(), 'closed', child.errors)
    t.equal(await child.ended, 0, child.errors)
    const expected = readFileSync(lab.expected)
    for (const [target, bytes] of lab.replicas().entries())
      sameBytes(t, bytes, expected, `the copy of target ${target}`)
    for (const target of lab.targets) t.not(await target.allEnd(), undefined, 'the daemons end')
  })
}

for (const [name, network] of [
  ['IPv4', {}],
  ['IPv6 only, packets of at most 1280 bytes', { family: 6, mtu: 1280 }],
] as const) {
  t.test(`a target that is cut off for a while comes back in step: ${name}`, { skip }, async t => {
    const lab = await HostLab.start(t, network)
    const creating = lab.initiator('create')
    t.equal(await creating.ended, 0, creating.errors)
    const child = lab.initiator('keep')
    await linesUntil(child, /^ready$/)
    lab.hosts.targets[1]?.cut()
    t.match((await linesUntil(child, / lost$/)).at(-1), / lost$/, child.errors)
    lab.hosts.targets[1]?.mend()
    // Until the old daemon has noticed that nobody is there, the pool is its own.
    const states = await linesUntil(child, / synced$/)
    t.match(states.at(-2), / syncing$/, child.errors)
    child.process.stdin?.write('end\n')
    t.ok(Number(await child.line()) > 0, 'no persist has failed')
    t.equal(await child.line(), 'closed')
    t.equal(await child.ended, 0, child.errors)
    const master = readFileSync(lab.master).subarray(pageSize)
    for (const [target, bytes] of lab.replicas().entries()) sameBytes(t, bytes, master, `the copy of target ${target}`)
  })
}
