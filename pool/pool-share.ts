import { assert, type PoolAttributes, RpmemError } from '../core/index.js'
import { attachMemory, type Memory, type MemoryToken, NativeMemory } from '../fabric-native/index.js'
import { AttachedKeeper, type KeeperShare } from './attached-keeper.js'
import type { ReplicaShare } from './attached-replica.js'
import { KeptReplica } from './kept-replica.js'
import { LocalReplica } from './local-replica.js'
import type { Policy } from './policy.js'
import type { Assembly } from './pool-assembly.js'
import type { AttachRemote, RemoteReplica } from './remote-connector.js'
import { ReplicaKeeper } from './replica-keeper.js'
import { Unpersisted } from './unpersisted.js'

/** A pool on its way to another thread of this process; can be posted to a worker. Good as long as the pool is open. */
export interface PoolToken {
  /** In the order of the pool set, the master first. */
  readonly replicas: readonly ReplicaToken[]
  readonly size: number
  readonly base: number
  readonly attributes: PoolAttributes | undefined
  readonly policy: Policy | undefined
  /** Of a pool with remote replicas. */
  readonly keeper: KeeperShare | undefined
  /** Of a pool that is checked for bytes that were never persisted: what was. */
  readonly persisted: MemoryToken | undefined
}

export type ReplicaToken =
  | { readonly name: string; readonly memory: MemoryToken }
  | { readonly name: string; readonly kept: ReplicaShare }

/** `size`: of the pool by now, header page included. */
export function shareAssembly(assembly: Assembly, size: number): PoolToken {
  const { replicas, master, locals, remotes, base, attributes, policy } = assembly
  const own = [master, ...locals]
  const tokens = new Map<unknown, ReplicaToken>()
  for (const replica of own) tokens.set(replica, { name: replica.name, memory: share(replica.memory) })
  const keeper = remotes.length > 0 ? ownKeeper(assembly).share() : undefined
  for (const remote of remotes) {
    assert(remote instanceof KeptReplica, 'remote replicas are kept')
    tokens.set(remote, { name: remote.name, kept: remote.share() })
  }
  for (const replica of own) replica.share()
  const persisted = assembly.unpersisted?.share()
  const inOrder = replicas.flatMap(replica => tokens.get(replica) ?? [])
  return { replicas: inOrder, size, base, attributes, policy, keeper, persisted }
}

function ownKeeper({ keeper }: Assembly): ReplicaKeeper {
  if (keeper instanceof ReplicaKeeper) return keeper
  throw new RpmemError('ERR_THREAD', 'a pool is shared by the thread that opened it')
}

function share(memory: Memory): MemoryToken {
  if (memory instanceof NativeMemory) return memory.share()
  throw new RpmemError('ERR_ARGUMENT', 'only mapped memory can be shared with other threads')
}

/** The same pool seen from this thread. Closing it leaves the owner's pool open. */
export function attachAssembly(token: PoolToken, attachRemote?: AttachRemote): Assembly {
  const { size, base, attributes, policy, persisted } = token
  const locals: LocalReplica[] = []
  const remotes: RemoteReplica[] = []
  let keeper: AttachedKeeper | undefined
  try {
    const replicas = token.replicas.map(replica => {
      if ('memory' in replica) return added(locals, attachLocal(replica.name, replica.memory, locals[0]))
      if (attachRemote && token.keeper) {
        keeper ??= new AttachedKeeper(token.keeper)
        return added(remotes, keeper.attach(replica.name, replica.kept, attachRemote))
      }
      throw new RpmemError('ERR_POOLSET_UNSUITABLE', 'the pool has a remote replica, but nothing attaches to targets')
    })
    const [master, ...others] = locals
    if (!master) throw new RpmemError('ERR_ARGUMENT', 'the token of a pool names at least a master')
    const unpersisted = persisted === undefined ? undefined : Unpersisted.attach(persisted, master.memory, base)
    return {
      replicas,
      master,
      locals: others,
      remotes,
      size,
      base,
      attributes,
      policy,
      keeper,
      unpersisted,
      attached: true,
    }
  } catch (error) {
    void keeper?.close()
    for (const { memory } of locals) memory.close()
    for (const remote of remotes) void remote.close().catch(() => {})
    throw error
  }
}

function attachLocal(name: string, token: MemoryToken, master: LocalReplica | undefined): LocalReplica {
  const memory = attachMemory(token)
  return new LocalReplica(name, memory, { close: async () => memory.close() }, master?.memory)
}

function added<T>(list: T[], item: T): T {
  list.push(item)
  return item
}
