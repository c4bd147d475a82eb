import type { Test } from 'tap'
import { MiB } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { Vmem } from '../../vmem/index.js'
import { onDisk } from '../fixture/mapped-file.js'

/** The pool size that libvmem's own tests use. */
export const usualSize = 14 * MiB

export interface PoolBed {
  readonly name: 'file' | 'region'
  /** A new pool, closed after the test. */
  open(t: Test, size?: number): Vmem
}

function closing(t: Test, vmem: Vmem): Vmem {
  t.teardown(() => vmem.closeSync())
  return vmem
}

/** Both kinds of pool: what holds for one holds for the other. */
export const poolBeds: readonly PoolBed[] = [
  { name: 'file', open: (t, size = usualSize) => closing(t, Vmem.createSync(onDisk, size)) },
  {
    name: 'region',
    open(t, size = usualSize) {
      const memory = NativeMemory.anonymous(size)
      t.teardown(() => memory.close())
      // What lay there before must not matter.
      for (let at = 0; at < size; at += 4096) memory.fill(at, 0xa5, 64)
      return closing(t, Vmem.createInRegion(memory))
    },
  },
]

/** Blocks of one size until the pool has no more. */
export function fill(vmem: Vmem, size: number): number[] {
  const offsets: number[] = []
  for (;;) {
    const offset = tryMalloc(vmem, size)
    if (offset === 0) return offsets
    offsets.push(offset)
  }
}

/** 0 where the pool is exhausted; anything else is thrown. */
export function tryMalloc(vmem: Vmem, size: number): number {
  try {
    return vmem.mallocOffset(size)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_HEAP_EXHAUSTED') return 0
    throw error
  }
}

export function requireConsistent(t: Test, vmem: Vmem, name = 'check finds nothing'): void {
  t.same(vmem.check().findings, [], name)
}
