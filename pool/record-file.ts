import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { decodeReplicaRecord, encodeReplicaRecord, type ReplicaRecord, RpmemError, systemCode } from '../core/index.js'

/** The file that says what a copy has been through, by the path of its first part. */
export const recordPath = (beside: string): string => `${beside}.record`

/** Where a copy of a pool keeps its record. */
export interface RecordStore {
  /** Undefined if there is none. ERR_RECORD if it is damaged or cannot be read. */
  read(): ReplicaRecord | undefined
  /** Durable when it returns; a crash leaves the old one or the new one. */
  write(record: ReplicaRecord): void
  /** Idempotent. */
  remove(): void
}

/** Beside the pool set, or whatever else names the copy. It is small and seldom written, so it blocks. */
export class RecordFile implements RecordStore {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  read(): ReplicaRecord | undefined {
    const bytes = this.#io('read', () => {
      try {
        return readFileSync(this.path)
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return undefined
        throw error
      }
    })
    return bytes && decodeReplicaRecord(bytes)
  }

  write(record: ReplicaRecord): void {
    const fresh = `${this.path}.new`
    this.#io('write', () => {
      const fd = openSync(fresh, 'w', privateMode)
      try {
        writeSync(fd, encodeReplicaRecord(record))
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
      renameSync(fresh, this.path)
      syncDirectory(dirname(this.path))
    })
  }

  remove(): void {
    this.#io('remove', () => rmSync(this.path, { force: true }))
  }

  #io<T>(action: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw RpmemError.wrap('ERR_RECORD', `cannot ${action} ${this.path}`, error, { facts: { path: this.path } })
    }
  }
}

const privateMode = 0o600

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
