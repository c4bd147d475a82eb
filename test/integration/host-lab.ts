import { join } from 'node:path'
import type { Test } from 'tap'
import { pageSize } from '../../core/index.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { Child } from './child.js'
import { type Network, SeparateHosts } from './separate-hosts.js'
import { localSet, TargetHost } from './target-host.js'

/** A pool set on the initiator, mirrored to two targets, each a host with an sshd and a daemon of its own. */
export class HostLab {
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

  /** `disks`: folders in which the targets have all that is theirs. */
  static async start(t: Test, network: Network, disks: readonly string[] = []): Promise<HostLab> {
    const hosts = new SeparateHosts(t, 2, network)
    const targets: TargetHost[] = []
    for (const [index, { address, on }] of hosts.targets.entries()) {
      const { TMPDIR } = process.env
      if (disks[index]) process.env.TMPDIR = disks[index]
      targets.push(await TargetHost.start(t, { listen: address, by: on }))
      if (TMPDIR === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = TMPDIR
    }
    return new HostLab(t, hosts, targets)
  }

  get master(): string {
    return join(this.folder, 'master')
  }

  get expected(): string {
    return join(this.folder, 'expected')
  }

  initiator(how: 'create' | 'keep' | 'load', ...more: readonly string[]): Child {
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
    const args = [how, join(this.folder, 'pool.set'), this.expected, JSON.stringify(options), ...more]
    return new Child(this.#t, 'hosts-child.js', args, this.hosts.onInitiator)
  }

  replicas(): Buffer[] {
    return this.targets.map(target => target.content('x', 'part').subarray(pageSize))
  }
}

/** The lines that the child says up to one that matches, or to the end. */
export async function linesUntil(child: Child, last: RegExp): Promise<string[]> {
  const lines: string[] = []
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    lines.push(line)
    if (last.test(line)) break
  }
  return lines
}
