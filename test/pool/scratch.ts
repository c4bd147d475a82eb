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

/** How each method of durability is had on tmpfs: libpmem2 is told what to take the storage for. */
const granularities = { volatile: undefined, msync: 'page', dax: 'cache_line' } as const

/** What this test maps is made durable by this method. */
export function mapAs(t: Test, method: keyof typeof granularities): void {
  const before = process.env.PMEM2_FORCE_GRANULARITY
  set(granularities[method])
  t.teardown(() => set(before))
}

function set(granularity: string | undefined): void {
  if (granularity === undefined) delete process.env.PMEM2_FORCE_GRANULARITY
  else process.env.PMEM2_FORCE_GRANULARITY = granularity
}
