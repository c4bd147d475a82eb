import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { systemCode } from '../../core/index.js'

const run = (command: string, ...words: readonly string[]) =>
  execFileSync(command, words, { stdio: 'pipe', timeout: 10_000 })

/** True where file systems can be mounted, which takes root. */
export function disksAreAllowed(folder: string): boolean {
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'rpmem-try', folder)
    run('umount', folder)
    return true
  } catch {
    return false
  }
}

/** A file system of its own that is small enough to be filled, mounted at `folder` until the test ends. */
export class SmallDisk {
  readonly folder: string

  constructor(t: Test, folder: string, size: string) {
    this.folder = folder
    run('mount', '-t', 'tmpfs', '-o', `size=${size},mode=755`, 'rpmem-test', folder)
    t.teardown(() => run('umount', '--lazy', folder))
  }

  /** To the last byte. */
  fill(): void {
    const file = openSync(this.#filler, 'w')
    try {
      for (const piece of [1024 * 1024, 4096, 1]) this.#write(file, Buffer.alloc(piece, 1))
    } finally {
      closeSync(file)
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true })
  }

  /** False while somebody has a file open for writing. */
  readOnly(): boolean {
    try {
      run('mount', '-o', 'remount,ro', this.folder)
      return true
    } catch {
      return false
    }
  }

  writable(): void {
    run('mount', '-o', 'remount,rw', this.folder)
  }

  get #filler(): string {
    return join(this.folder, 'filler')
  }

  #write(file: number, piece: Buffer): void {
    try {
      for (;;) if (writeSync(file, piece) < piece.length) return
    } catch (error) {
      if (systemCode(error) !== 'ENOSPC') throw error
    }
  }
}
