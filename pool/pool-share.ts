import { type PoolAttributes, RpmemError } from '../core/index.js'
import { attachMemory, type Memory, type MemoryToken, NativeMemory } from '../fabric-native/index.js'
import { LocalReplica } from './local-replica.js'
import type { Assembly } from './pool-assembly.js'

/** A pool on its way to another thread of this process; can be posted to a worker. Good as long as the pool is open. */
export interface PoolToken {
  /** Master first. */
  readonly replicas: readonly { readonly name: string; readonly memory: MemoryToken }[]
  readonly size: number
  readonly base: number
  readonly attributes: PoolAttributes | undefined
}

/** ERR_POOLSET_UNSUITABLE for a pool with remote replicas: lanes belong to the thread that connected them. */
export function shareAssembly({ master, locals, remotes, size, base, attributes }: Assembly): PoolToken {
  if (remotes.length > 0) {
    throw new RpmemError('ERR_POOLSET_UNSUITABLE', 'a pool with remote replicas cannot be shared with other threads', {
      hint: 'Let the thread that opened the pool do the persists.',
    })
  }
  const own = [master, ...locals]
  const replicas = own.map(({ name, memory }) => ({ name, memory: share(memory) }))
  for (const replica of own) replica.share()
  return { replicas, size, base, attributes }
}

function share(memory: Memory): MemoryToken {
  if (memory instanceof NativeMemory) return memory.share()
  throw new RpmemError('ERR_ARGUMENT', 'only mapped memory can be shared with other threads')
}

/** The same pool seen from this thread. Closing it leaves the owner's pool open. */
export function attachAssembly({ replicas, size, base, attributes }: PoolToken): Assembly {
  const attached: LocalReplica[] = []
  try {
    for (const { name, memory: token } of replicas) {
      const memory = attachMemory(token)
      const owner = { close: async () => memory.close() }
      attached.push(new LocalReplica(name, memory, owner, attached[0]?.memory))
    }
  } catch (error) {
    for (const { memory } of attached) memory.close()
    throw error
  }
  const [master, ...locals] = attached
  if (!master) throw new RpmemError('ERR_ARGUMENT', 'the token of a pool names at least a master')
  return { replicas: attached, master, locals, remotes: [], size, base, attributes }
}
