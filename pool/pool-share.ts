import { type PoolAttributes, RpmemError } from '../core/index.js'
import { attachMemory, type Memory, type MemoryToken, NativeMemory } from '../fabric-native/index.js'
import { LocalReplica } from './local-replica.js'
import type { Assembly } from './pool-assembly.js'
import type { AttachRemote, RemoteReplica } from './remote-connector.js'

/** A pool on its way to another thread of this process; can be posted to a worker. Good as long as the pool is open. */
export interface PoolToken {
  /** In the order of the pool set, the master first. */
  readonly replicas: readonly ReplicaToken[]
  readonly size: number
  readonly base: number
  readonly attributes: PoolAttributes | undefined
}

export type ReplicaToken =
  | { readonly name: string; readonly memory: MemoryToken }
  /** What only the room knows that connects to targets. */
  | { readonly name: string; readonly connection: unknown }

/** `size`: of the pool by now, header page included. */
export function shareAssembly(assembly: Assembly, size: number): PoolToken {
  const { replicas, master, locals, remotes, base, attributes } = assembly
  const own = [master, ...locals]
  const tokens = new Map<unknown, ReplicaToken>()
  for (const replica of own) tokens.set(replica, { name: replica.name, memory: share(replica.memory) })
  for (const remote of remotes) tokens.set(remote, { name: remote.name, connection: remote.share() })
  for (const replica of own) replica.share()
  return { replicas: replicas.flatMap(replica => tokens.get(replica) ?? []), size, base, attributes }
}

function share(memory: Memory): MemoryToken {
  if (memory instanceof NativeMemory) return memory.share()
  throw new RpmemError('ERR_ARGUMENT', 'only mapped memory can be shared with other threads')
}

/** The same pool seen from this thread. Closing it leaves the owner's pool open. */
export function attachAssembly(token: PoolToken, attachRemote?: AttachRemote): Assembly {
  const { size, base, attributes } = token
  const locals: LocalReplica[] = []
  const remotes: RemoteReplica[] = []
  try {
    const replicas = token.replicas.map(replica => {
      if ('memory' in replica) return added(locals, attachLocal(replica.name, replica.memory, locals[0]))
      if (attachRemote) return added(remotes, attachRemote(replica.name, replica.connection))
      throw new RpmemError('ERR_POOLSET_UNSUITABLE', 'the pool has a remote replica, but nothing attaches to targets')
    })
    const [master, ...others] = locals
    if (!master) throw new RpmemError('ERR_ARGUMENT', 'the token of a pool names at least a master')
    return { replicas, master, locals: others, remotes, size, base, attributes, attached: true }
  } catch (error) {
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
