import { Pool as BasePool, type CreatePoolOptions, type OpenPoolOptions, type PoolToken } from '../pool/index.js'
import { attachReplica, SshConnector, type SshConnectorOptions } from './remote-replica.js'

/** How the REPLICA lines of a pool set that name a node are reached; the same for all of them. */
export interface ReplicationOptions {
  readonly remote?: SshConnectorOptions
}

export interface PoolCreateOptions extends CreatePoolOptions, ReplicationOptions {}
export interface PoolOpenOptions extends OpenPoolOptions, ReplicationOptions {}

type Source = Parameters<typeof BasePool.create>[0]

/** The pool of the public face: its remote replicas are launched over SSH and fed over lanes. */
export class Pool extends BasePool {
  /** `source` is a pool set or the path of its file. Source: pmemobj_create(3), rpmem_create(3). */
  static override async create(source: Source, options: PoolCreateOptions = {}): Promise<Pool> {
    return BasePool.create.call(Pool, source, connected(options))
  }

  /** Source: pmemobj_open(3), rpmem_open(3). */
  static override async open(source: Source, options: PoolOpenOptions = {}): Promise<Pool> {
    return BasePool.open.call(Pool, source, connected(options))
  }

  /** Its remote replicas are reached over the connections of the thread that opened the pool. Source: pmemobj_open(3). */
  static override attach(token: PoolToken): Pool {
    return BasePool.attach.call(Pool, token, attachReplica)
  }
}

/** A connector that the caller hands in stays. */
const connected = <T extends OpenPoolOptions & ReplicationOptions>(options: T): T => ({
  connectRemote: new SshConnector(options.remote ?? {}),
  ...options,
})
