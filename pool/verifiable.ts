import { RpmemError } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { blockSums } from './block-sums.js'
import { LocalReplica } from './local-replica.js'
import { isOutOfStep } from './recorded-replica.js'
import type { RemoteReplica } from './remote-connector.js'
import type { Replica } from './replica.js'
import type { Verifiable } from './verification.js'

/** Any replica but the master, for a verification. */
export function verifiable(replica: Replica, master: Memory): Verifiable {
  if (replica instanceof LocalReplica) {
    return {
      name: replica.name,
      sums: async (offset, length, blockSize) => blockSums(replica.memory, offset, length, blockSize),
      send: async (offset, length) => replica.memory.copyFrom(master, offset, length),
    }
  }
  return {
    name: replica.name,
    sums: async (offset, length, blockSize) => keepingOf(replica).sums(offset, length, blockSize),
    send: (offset, length) => replica.start(offset, length, {}).finish(),
  }
}

function keepingOf(replica: Replica) {
  const { keeping } = replica as RemoteReplica
  if (keeping && !isOutOfStep(replica) && !replica.failure) return keeping
  throw new RpmemError('ERR_TARGET_LOST', `${replica.name} is not in step and cannot be verified`, {
    cause: replica.failure,
    facts: { replica: replica.name },
  })
}
