import { assert } from '../core/index.js'
import { nativeFabric } from '../fabric-native/index.js'
import { Pool, type ReplicationOptions, readEnvironment } from '../initiator/index.js'
import type { DemoNode, DemoStage } from './demo-stage.js'
import { methodText, transportText } from './replica-text.js'

/** What the demo tells about a replica of its pool. */
export interface DemoReplica {
  readonly name: string
  readonly path: string
  readonly why: readonly string[]
}

/** The pool of the demo over its three replicas, and the survivor by itself. */
export class DemoPools {
  readonly #stage: DemoStage
  readonly #signal: AbortSignal
  #pool: Pool | undefined

  constructor(stage: DemoStage, signal: AbortSignal) {
    this.#stage = stage
    this.#signal = signal
  }

  get pool(): Pool {
    assert(this.#pool, 'the pool was created')
    return this.#pool
  }

  async create(): Promise<DemoReplica[]> {
    const pool = await Pool.create(this.#stage.poolSetFile, {
      signature: 'DEMO',
      remote: this.#remoteOptions(),
      signal: this.#signal,
    })
    this.#pool = pool
    return pool.replicas.map(({ name, kind, method, transport }) => {
      const reached = transport ? transportText(transport) : { path: 'mapped here', why: [] }
      const shown = kind === 'local' ? name : (name.split('@')[0] ?? name)
      return { name: shown, path: `${reached.path}; ${methodText(method)}`, why: reached.why }
    })
  }

  /** The files of one target as a pool of their own, without the daemon. */
  openAlone(node: DemoNode): Promise<Pool> {
    return Pool.open(this.#stage.replicaSetFile(node), { signature: 'DEMO', alone: true, signal: this.#signal })
  }

  async close(): Promise<void> {
    await this.#pool?.close()
  }

  /** Of the user's environment only the choice of providers counts; keys and known hosts are those of the stage. */
  #remoteOptions(): NonNullable<ReplicationOptions['remote']> {
    const { RPMEM_ENABLE_SOCKETS, RPMEM_ENABLE_VERBS } = process.env
    const { identityFile, knownHostsFile } = this.#stage.nodes
    return {
      fabric: nativeFabric,
      lanes: 2,
      environment: readEnvironment({ RPMEM_ENABLE_SOCKETS, RPMEM_ENABLE_VERBS }),
      ssh: {
        configFile: '/dev/null',
        identityFiles: [identityFile],
        knownHostsFiles: [knownHostsFile],
        agentSocket: 'none',
        home: this.#stage.directory,
      },
    }
  }
}
