import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { pageSize } from '../../core/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { Child } from './child.js'
import { type Network, networksAreAllowed, networksCanBeBad, SeparateHosts } from './separate-hosts.js'
import { localSet, TargetHost } from './target-host.js'

const skip = networksAreAllowed() ? false : 'no network namespaces can be made here, so there are no separate hosts'
const noBadness = networksCanBeBad() ? false : 'the kernel cannot delay and lose packets (netem)'

/** A pool set on the initiator, mirrored to two targets, each a host with an sshd and a daemon of its own. */
class Lab {
  readonly hosts: SeparateHosts
  readonly targets: readonly TargetHost[]
  readonly folder: string
  readonly #t: Test

  private constructor(t: Test, hosts: SeparateHosts, targets: readonly TargetHost[]) {
    this.#t = t
    this.hosts = hosts
    this.targets = targets
    this.folder = temporaryFolder(t, 'rpmem-initiator')
    localSet(this.folder, `8M ${this.master}`, ...targets.map(target => target.replica('x', [['8M', 'part']])))
  }

  static async start(t: Test, network: Network): Promise<Lab> {
    const hosts = new SeparateHosts(t, 2, network)
    const targets: TargetHost[] = []
    for (const { address, on } of hosts.targets) targets.push(await TargetHost.start(t, { listen: address, by: on }))
    return new Lab(t, hosts, targets)
  }

  get master(): string {
    return join(this.folder, 'master')
  }

  get expected(): string {
    return join(this.folder, 'expected')
  }

  initiator(how: 'create' | 'keep'): Child {
    const ssh = this.targets.map(({ options }) => options.ssh)
    const options = {
      ...this.targets[0]?.options,
      command: this.targets.map(({ options }) => options.command),
      ssh: {
        ...ssh[0],
        knownHostsFiles: ssh.flatMap(({ knownHostsFiles }) => knownHostsFiles),
        identityFiles: ssh.flatMap(({ identityFiles }) => identityFiles),
      },
    }
    const args = [how, join(this.folder, 'pool.set'), this.expected, JSON.stringify(options)]
    return new Child(this.#t, 'hosts-child.js', args, this.hosts.onInitiator)
  }

  replicas(): Buffer[] {
    return this.targets.map(target => target.content('x', 'part').subarray(pageSize))
  }
}

/** The lines that the child says up to one that matches, or to the end. */
async function linesUntil(child: Child, last: RegExp): Promise<string[]> {
  const lines: string[] = []
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    lines.push(line)
    if (last.test(line)) break
  }
  return lines
}

const networks: readonly (readonly [name: string, network: Network, skip: string | false])[] = [
  ['IPv4', {}, skip],
  ['IPv6 only', { family: 6 }, skip],
  ['IPv6 only, packets of at most 1280 bytes', { family: 6, mtu: 1280 }, skip],
  ['IPv4, slow and losing packets', { badness: ['delay', '5ms', 'loss', '1%'] }, skip || noBadness],
]

for (const [name, network, reason] of networks) {
  t.test(`what is persisted is on both targets, hosts of their own: ${name}`, { skip: reason }, async t => {
    const lab = await Lab.start(t, network)
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
    const lab = await Lab.start(t, network)
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
