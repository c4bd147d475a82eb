import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** False for zombies, too: nothing of them is left but their exit code. */
export function processIsThere(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

/**
 * Milliseconds until the condition held; undefined if it did not within the bound. For what happens in other processes,
 * of which no event tells.
 */
export async function within(boundMs: number, condition: () => boolean): Promise<number | undefined> {
  const start = performance.now()
  for (;;) {
    if (condition()) return performance.now() - start
    if (performance.now() - start > boundMs) return undefined
    await pause(10)
  }
}
