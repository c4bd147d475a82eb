import { join } from 'node:path'
import type { Test } from 'tap'
import { pageSize } from '../../core/index.js'
import { Arena, type ArenaOptions, type ArenaSnapshot } from '../../lpsm/index.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

/** Two names in a folder of its own, and arenas on them that are closed at the end of the test. */
export function arenaBed(t: Test) {
  const folder = temporaryFolder(t)
  const data = join(folder, 'data')
  const log = join(folder, 'log')
  const open = async (options: ArenaOptions = {}): Promise<Arena> => {
    const arena = await Arena.open(data, log, options)
    t.teardown(() => arena.close())
    return arena
  }
  return { folder, data, log, open, create: (options: ArenaOptions = {}) => open({ size: 64 * pageSize, ...options }) }
}

/** Puts a number into the last byte of pages. */
export function store(arena: Arena, value: number, ...pages: readonly number[]): void {
  for (const page of pages) {
    arena.view(page * pageSize + pageSize - 1, 1)[0] = value
    if (arena.tracking === 'marking') arena.mark(page * pageSize, pageSize)
  }
}

/** What `store` put there. */
export const load = (arena: Arena | ArenaSnapshot, page: number): number =>
  arena.view(page * pageSize + pageSize - 1, 1)[0] ?? Number.NaN
