import { decodeReplicaRecord, encodeReplicaRecord, type ReplicaRecord, RpmemError } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import type { RecordStore } from '../../pool/index.js'
import type { Dice } from './dice.js'

/**
 * What a machine finds after a loss of power: all that was made durable, and of the rest each aligned word of 8 bytes as the
 * caches happened to be.
 */
export function afterPowerFailure(memory: BufferMemory, dice: Dice): BufferMemory {
  const next = new BufferMemory(memory.size, { method: memory.method })
  const bytes = memory.afterPowerFailure()
  const volatile = memory.view(0, memory.size)
  for (let word = 0; word < memory.size; word += 8) {
    const lost = Buffer.compare(volatile.subarray(word, word + 8), bytes.subarray(word, word + 8)) !== 0
    if (lost && dice.once(2)) bytes.set(volatile.subarray(word, word + 8), word)
  }
  next.copyIn(0, bytes)
  return next
}

/** After the end of a process everything that it stored is still there. */
export function afterProcess(memory: BufferMemory): BufferMemory {
  const next = new BufferMemory(memory.size, { method: memory.method })
  next.copyIn(0, memory.view(0, memory.size))
  return next
}

/** A file that is replaced as a whole. The disk may be full. */
export class SimRecord implements RecordStore {
  #bytes: Uint8Array | undefined
  full = false

  read(): ReplicaRecord | undefined {
    return this.#bytes && decodeReplicaRecord(this.#bytes)
  }

  write(record: ReplicaRecord): void {
    if (this.full) throw new RpmemError('ERR_RECORD', 'no space left on device')
    this.#bytes = encodeReplicaRecord(record)
  }

  /** The same file, as the next process has it open. */
  again(): SimRecord {
    const next = new SimRecord()
    next.#bytes = this.#bytes
    return next
  }

  remove(): void {
    this.#bytes = undefined
  }
}
