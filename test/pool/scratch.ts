import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** A directory that goes with the test. On tmpfs where there is one: parts are allocated in full. */
export function scratch(t: Test, base = '/dev/shm'): string {
  const directory = mkdtempSync(join(base === '/dev/shm' && process.platform !== 'linux' ? tmpdir() : base, 'rpmem-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A pool set file; `lines` are what follows the first line. */
export function writeSet(directory: string, name: string, ...lines: string[]): string {
  const path = join(directory, name)
  writeFileSync(path, ['PMEMPOOLSET', ...lines, ''].join('\n'))
  return path
}
