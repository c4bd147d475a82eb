import { createHash } from 'node:crypto'
import type { Memory } from '../fabric-native/index.js'
import { removeNotes } from './note-removal.js'
import { Part } from './part.js'
import { RecordFile, type RecordStore, recordPath } from './record-file.js'
import type { Storage } from './storage.js'

/** What has to be known of a pool's replicas when the process is gone: its record, and a map for each replica that is kept. */
export interface ReplicaNotes {
  readonly record: RecordStore
  /** Opens the map of this replica, or makes one of zeros. It is nobody else's until it is closed. */
  map(replica: string, size: number): Promise<NotedMap>
  /** Removes record and maps; those that are open were closed before. */
  remove(): Promise<void>
}

export interface NotedMap {
  readonly memory: Memory
  readonly created: boolean
  close(): Promise<void>
}

/** Files beside the first part of a pool. */
export class FileNotes implements ReplicaNotes {
  readonly record: RecordStore
  readonly #beside: string
  readonly #storage: Storage

  constructor(beside: string, storage: Storage) {
    this.record = new RecordFile(recordPath(beside))
    this.#beside = beside
    this.#storage = storage
  }

  async map(replica: string, size: number): Promise<NotedMap> {
    const part = await Part.create({ path: mapPath(this.#beside, replica), size }, this.#storage)
    try {
      const memory = this.#storage.map([{ fd: part.fd, offset: 0, length: size }])
      const close = () => {
        memory.close()
        return part.close()
      }
      return { memory, created: part.created, close }
    } catch (error) {
      await part.close()
      throw error
    }
  }

  remove(): Promise<void> {
    return removeNotes(this.#beside)
  }
}

/** The file with the map of what this replica misses. */
export const mapPath = (beside: string, replica: string): string =>
  `${beside}.missing-${createHash('sha256').update(replica).digest('hex').slice(0, 8)}`
