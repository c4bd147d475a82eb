import { alignUp, type PoolAttributes, pageSize, RpmemError } from '../core/index.js'
import {
  createReplicaParts,
  nativeStorage,
  openReplicaParts,
  placesOf,
  type ReplicaPartsRequest,
  type Storage,
  setToCreate,
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
    return createReplicaParts({
      ...(await this.#request(poolSet, size, set => setToCreate(set, alignUp(size, pageSize)))),
      attributes,
    })
  }

  async open(poolSet: string, size: number): Promise<StoredPool> {
    return openReplicaParts(await this.#request(poolSet, size, set => set))
  }

  async #request(poolSet: string, size: number, complete: (set: PoolSet) => PoolSet): Promise<ReplicaPartsRequest> {
    const file = await resolvePoolSet(this.#dir, poolSet)
    const given = await loadPoolSet(file)
    const subject = `the pool set '${poolSet}' cannot be used on a target`
    requirePlan(given, { subject, against: reasonsAgainst(given) })
    const set = complete(given)
    const parts = localReplicas(set).flatMap(placesOf)
    const { poolSize: have } = requirePlan(set, { subject })
    if (have >= size) return { parts, options: set.options, storage: this.#storage, notesBeside: file }
    throw new RpmemError('ERR_POOL_SIZE', `the pool set '${poolSet}' holds ${have} bytes, ${size} are needed`, {
      facts: { poolSet, have, size },
    })
  }
}

const reasonsAgainst = ({ replicas }: PoolSet): string[] =>
  replicas.length > 1 ? ['it has REPLICA lines, which a set on a target must not have'] : []
