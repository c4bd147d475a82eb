import { once } from 'node:events'
import { existsSync, mkdtempSync, openSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LoopbackNodes } from '../cli/loopback-node.js'
import { type Memory, NativeMemory, type ProviderName } from '../fabric-native/index.js'
import { Pool, RemotePool, SshConnector } from '../initiator/index.js'
import type { ArenaOptions } from '../lpsm/index.js'
import { nativeStorage, type Policy } from '../pool/index.js'

const nodes = ['a', 'b'] as const

interface Place {
  create(provider: ProviderName): Promise<RemotePool>
  open(provider: ProviderName): Promise<RemotePool>
  remove(): Promise<void>
}

/** Two target nodes on loopback, each a real rpmemd in a process of its own, over memory of /dev/shm where there is one. */
export class Bed {
  readonly #directory: string
  readonly #loopback: LoopbackNodes
  #sets = 0

  private constructor(directory: string, loopback: LoopbackNodes) {
    this.#directory = directory
    this.#loopback = loopback
  }

  static async start(): Promise<Bed> {
    const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'rpmem-bench-'))
    return new Bed(directory, await LoopbackNodes.start(directory, nodes))
  }

  /** Where a pool without headers may be created on node a, mirrored from anonymous memory. */
  place(size: number, lanes = 1, memory: Memory = NativeMemory.anonymous(size)): Place {
    const address = this.#loopback.address('a')
    const set = this.#makeSet('a', size)
    const options = (provider: ProviderName) => ({
      ...{ lanes, ssh: this.#ssh },
      transport: { require: provider, sockets: provider === 'sockets' },
    })
    return {
      create: provider => RemotePool.create(address, set, memory, options(provider)),
      open: provider => RemotePool.open(address, set, memory, options(provider)),
      remove: () => RemotePool.remove(address, set, { ssh: this.#ssh, removePoolSet: true }),
    }
  }

  async remotePool(provider: ProviderName, size: number, lanes: number): Promise<RemotePool> {
    return this.place(size, lanes).create(provider)
  }

  /** A local pool on /dev/shm with that many remote replicas. */
  async pool(size: number, replicas: number, policy: Policy = {}): Promise<Pool> {
    const name = `local-${this.#sets++}`
    const remote = nodes.slice(0, replicas).map(node => {
      return `REPLICA ${this.#loopback.address(node)} ${this.#makeSet(node, size, '')}\n`
    })
    const file = join(this.#directory, `${name}.set`)
    writeFileSync(file, `PMEMPOOLSET\n${size} ${join(this.#directory, `${name}.part`)}\n${remote.join('')}`)
    const resync = { backOff: { firstMs: 1, mostMs: 5 } }
    return Pool.create(file, { signature: 'BENCH', remote: { ssh: this.#ssh }, policy, resync })
  }

  /** A mapped file of /dev/shm, as the parts of a pool are. */
  file(size: number): Memory {
    const path = join(this.#directory, `file-${this.#sets++}`)
    writeFileSync(path, '')
    truncateSync(path, size)
    return nativeStorage.map([{ fd: openSync(path, 'r+'), offset: 0, length: size }])
  }

  /** Kills the targets of the pool on node a and keeps them away; the function lets them come back. */
  async lose(pool: Pool): Promise<() => Promise<void>> {
    const [node] = nodes
    const directory = this.#loopback.poolSetDir(node)
    const away = `${directory}-away`
    const lost = once(pool, 'replica-lost')
    renameSync(directory, away)
    for (const daemon of this.#loopback.daemons(node)) daemon.signal('SIGKILL')
    await lost
    return async () => renameSync(away, directory)
  }

  /** For an arena of that size with so many replicas. */
  arenaOptions(size: number, replicas: number): ArenaOptions {
    const made = nodes
      .slice(0, replicas)
      .map(node => `${this.#loopback.address(node)} ${this.#makeSet(node, 4 * size, '')}`)
    return { replicas: made, connectRemote: new SshConnector({ ssh: this.#ssh }) }
  }

  async close(): Promise<void> {
    await this.#loopback.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  get #ssh() {
    const { identityFile, knownHostsFile } = this.#loopback
    const own = { configFile: '/dev/null', agentSocket: 'none', program: '' }
    return { ...own, identityFiles: [identityFile], knownHostsFiles: [knownHostsFile] }
  }

  #makeSet(node: string, size: number, option = 'OPTION NOHDRS\n'): string {
    const name = `bench-${this.#sets++}.set`
    const directory = this.#loopback.poolSetDir(node)
    writeFileSync(join(directory, name), `PMEMPOOLSET\n${option}${size} ${join(directory, `${name}.part`)}\n`)
    return name
  }
}
