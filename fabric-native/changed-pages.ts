import { pageSize } from '../core/index.js'
import { loadBinding } from './binding.js'
import type { Memory } from './memory.js'
import { NativeMemory } from './native-memory.js'
import type { PageRuns } from './page-runs.js'
import { trackPages } from './page-tracking.js'

/** Says which pages of a memory may have changed since they were cleaned. */
export interface ChangedPages {
  /** Ascending. All pages where the machine cannot tell. */
  peek(): PageRuns
  clean(page: number): void
  /** Takes `clean` back. */
  mark(page: number): void
}

/** Of any memory, shared mappings too. By write protection if the machine has it; else every page may have changed at any time. */
export function changedPages(memory: Memory): ChangedPages {
  const everyPage = {
    peek: () => Uint32Array.of(0, Math.ceil(memory.size / pageSize)),
    clean: () => {},
    mark: () => {},
  }
  if (!(memory instanceof NativeMemory)) return everyPage
  const native = loadBinding()
  try {
    trackPages(memory.handle, ['write-protect'])
  } catch {
    // The kernel lacks it, or knows no protection for pages of this kind.
    return everyPage
  }
  return {
    peek: () => native.collectPages(memory.handle, false),
    clean: page => native.cleanPages(memory.handle, page * pageSize, pageSize),
    mark: page => native.markPages(memory.handle, page * pageSize, pageSize),
  }
}
