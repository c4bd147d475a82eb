import { closeSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { MiB, systemCode } from '../core/index.js'
import type { PoolStatus } from './pool-status.js'
import { isPoolStatus } from './pool-status-check.js'

/** The file that says how a pool stood when it was noted last, by the path of its first part. */
export const statusPath = (beside: string): string => `${beside}.status`

/** Begins like the other notes of a pool, so that `rm` knows it for one. */
const firstLine = 'RPMEM STATUS 1\n'
/** A note has a few KiB for each replica. */
const largest = MiB

/**
 * The state of an open pool for other processes. A reader sees a whole note, the old or the new one. It is not made durable:
 * after a power failure nobody has the pool open, and what matters then stands in record and maps.
 */
export class StatusNote {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** Throws the error of the system. */
  write(status: PoolStatus): void {
    const fresh = `${this.path}.new`
    writeFileSync(fresh, `${firstLine}${JSON.stringify(status)}\n`, { mode: 0o600 })
    renameSync(fresh, this.path)
  }

  /** These replicas were found equal throughout while nobody had the pool open. A note that cannot be written stays as it is. */
  verified(replicas: readonly string[]): void {
    const status = this.read()
    if (!status) return
    const verifiedAt = new Date().toISOString()
    const told = status.replicas.map(replica =>
      replicas.includes(replica.name) ? { ...replica, verifiedAt } : replica,
    )
    try {
      this.write({ ...status, replicas: told })
    } catch (error) {
      if (systemCode(error) === undefined) throw error
    }
  }

  /** Idempotent. */
  remove(): void {
    rmSync(this.path, { force: true })
  }

  /** Undefined if there is none that can be understood: nothing depends on it. */
  read(): PoolStatus | undefined {
    try {
      const text = readLimited(this.path)
      if (!text.startsWith(firstLine)) return undefined
      const status: unknown = JSON.parse(text.slice(firstLine.length))
      return isPoolStatus(status) ? status : undefined
    } catch {
      return undefined
    }
  }
}

function readLimited(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(largest)
    let length = 0
    for (let read = 1; read > 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, length, buffer.length - length, null)
    }
    return buffer.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}
