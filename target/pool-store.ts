import { type PoolAttributes, RpmemError } from '../core/index.js'
import {
  createReplicaParts,
  nativeStorage,
  openReplicaParts,
  type PartPlace,
  type ReplicaPartsRequest,
  replicaLayout,
  type Storage,
} from '../pool/index.js'
import { loadPoolSet, type PartSpec, type PoolSet } from '../poolset/index.js'
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
    const request = { parts: placesOf(poolSet, set), options: set.options, storage: this.#storage }
    const have = replicaLayout(request.parts, request.options).size
    if (have >= size) return request
    throw new RpmemError('ERR_POOL_SIZE', `the pool set '${poolSet}' holds ${have} bytes, ${size} are needed`, {
      facts: { poolSet, have, size },
    })
  }
}

/** The parts of the one replica that a set on a target has. */
function placesOf(poolSet: string, set: PoolSet): PartPlace[] {
  const [replica, ...others] = set.replicas
  if (replica?.kind !== 'local' || others.length > 0)
    throw unsuitable(poolSet, 'it has REPLICA lines, which a set on a target must not have')
  return replica.parts.map(part => placeOf(poolSet, part))
}

function placeOf(poolSet: string, { path, size, kind }: PartSpec): PartPlace {
  if (kind === 'directory') throw unsuitable(poolSet, `its part ${path} is a directory`)
  if (typeof size === 'number') return { path, size }
  throw unsuitable(poolSet, `its part ${path} is larger than any file can be`)
}

const unsuitable = (poolSet: string, why: string): RpmemError =>
  new RpmemError('ERR_POOLSET_UNSUITABLE', `the pool set '${poolSet}' cannot be used on a target: ${why}`, {
    facts: { poolSet, why },
  })
