import { type PoolAttributes, RpmemError } from '../core/index.js'
import {
  createReplicaParts,
  nativeStorage,
  openReplicaParts,
  type PartPlace,
  type ReplicaPartsRequest,
  type Storage,
} from '../pool/index.js'
import { loadPoolSet, localReplicas, type PoolSet, requirePlan } from '../poolset/index.js'
import { resolvePoolSet } from './pool-set-path.js'
import type { PoolStore, StoredPool } from './target-node.js'

/** The pools that the pool set files below one directory describe. Parts lie wherever the operator's files say. */
export class FilePoolStore implements PoolStore {
  readonly #dir: string
  readonly #storage: Storage

  constructor(dir: string, storage: Storage = nativeStorage) {
    this.#dir = dir
    this.#storage = storage
  }

  /** What a failed attempt has created is gone again; parts that were there before stay as they were. */
  async create(poolSet: string, size: number, attributes: PoolAttributes | undefined): Promise<StoredPool> {
    return createReplicaParts({ ...(await this.#request(poolSet, size)), attributes })
  }

  async open(poolSet: string, size: number): Promise<StoredPool> {
    return openReplicaParts(await this.#request(poolSet, size))
  }

  async #request(poolSet: string, size: number): Promise<ReplicaPartsRequest> {
    const set = await loadPoolSet(await resolvePoolSet(this.#dir, poolSet))
    const { poolSize: have } = requirePlan(set, {
      subject: `the pool set '${poolSet}' cannot be used on a target`,
      against: reasonsAgainst(set),
    })
    if (have >= size) return { parts: placesOf(set), options: set.options, storage: this.#storage }
    throw new RpmemError('ERR_POOL_SIZE', `the pool set '${poolSet}' holds ${have} bytes, ${size} are needed`, {
      facts: { poolSet, have, size },
    })
  }
}

function reasonsAgainst({ replicas }: PoolSet): string[] {
  const further = replicas.length > 1 ? ['it has REPLICA lines, which a set on a target must not have'] : []
  const parts = replicas.flatMap(replica => (replica.kind === 'local' ? replica.parts : []))
  const unsupported = parts.filter(part => part.kind !== 'file')
  const kinds = { 'device-dax': 'a device', directory: 'a directory', file: 'a file' }
  return [...further, ...unsupported.map(({ path, kind }) => `its part ${path} is ${kinds[kind]}, not a regular file`)]
}

/** Of the one replica that a set on a target has. */
const placesOf = (set: PoolSet): PartPlace[] =>
  localReplicas(set).flatMap(({ parts }) => parts.map(({ path, size }) => ({ path, size: Number(size) })))
