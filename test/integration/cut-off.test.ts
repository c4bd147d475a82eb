import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { assert, pageSize } from '../../core/index.js'
import { Child } from './child.js'
import { networksAreAllowed, SeparateHosts } from './separate-hosts.js'
import { localSet, TargetHost } from './target-host.js'

const noticedMs = 3000
/** A deadline and a tenth. */
const longestMs = noticedMs * 1.1

const skip = networksAreAllowed() ? false : 'no network namespaces can be made here, so no cable can be cut'

for (const [how, code, network] of [
  ['idle', 'ERR_TARGET_LOST', {}],
  ['async', 'ERR_PERSIST', {}],
  ['sync', 'ERR_PERSIST', {}],
  ['sync', 'ERR_PERSIST', { family: 6, mtu: 1280 }],
] as const) {
  t.test(`a cut network is noticed in time (${how} ${JSON.stringify(network)})`, { skip, timeout: 60_000 }, async t => {
    const machines = new SeparateHosts(t, 1, network)
    const [target] = machines.targets
    assert(target, 'there is one target')
    const host = await TargetHost.start(t, { listen: target.address, by: target.on })
    const set = localSet(host.folder, `8M ${join(host.folder, 'master')}`, host.replica('a', [['8M', 'part']]))
    const start = (way: string) => {
      const args = [way, set, JSON.stringify(host.options)]
      return new Child(t, 'loss-child.js', args, machines.onInitiator)
    }
    const creating = start('create')
    t.equal(await creating.line(), 'created')
    t.equal(await creating.line(), 'closed')
    t.equal(await creating.ended, 0, creating.errors)
    await host.allEnd()

    const child = start(how)
    t.equal(await child.line(), 'ready')
    const cut = performance.now()
    target.cut()
    const told = JSON.parse((await child.line()) ?? '{}')
    const took = performance.now() - cut
    t.ok(took < longestMs, `after ${took.toFixed(0)} ms`)
    t.match(told, { code, durability: how === 'idle' ? 'unknown' : 'local' })
    t.ok(told.slowestMs < longestMs, 'no call outlived its deadline')
    t.equal(await child.line(), 'closed')
    t.equal(await child.ended, 0, 'the program ends by its own will')
    t.ok(performance.now() - cut < longestMs + 1000, 'closing does not wait for an answer')

    target.mend()
    t.not(await host.allEnd(15_000), undefined, 'the daemon learns it when the network is back')
    const confirmed = told.confirmed * 64
    const [master, replica] = [readFileSync(join(host.folder, 'master')), host.content('a', 'part')]
    t.ok(confirmed > 0)
    t.ok(
      replica
        .subarray(pageSize, pageSize + confirmed - 64)
        .equals(master.subarray(pageSize, pageSize + confirmed - 64)),
      'what was confirmed is on both',
    )
    const again = start('create-again')
    t.equal(await again.line(), 'closed', 'and the pool opens again')
    t.equal(await again.ended, 0, again.errors)
  })
}
