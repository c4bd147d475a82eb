import { BufferArenaMemory } from '../../fabric-native/index.js'
import type { ArenaFile } from '../../lpsm/arena-file.js'
import type { ArenaPorts } from '../../lpsm/arena-ports.js'
import { contentAt } from '../../lpsm/data-header.js'

/** A world without an operating system; time and chance count. */
export function fakePorts(): ArenaPorts {
  let count = 1
  return {
    map(file, { size, reservation }) {
      const content = contentOf(file, size)
      return new BufferArenaMemory(size, { content, reservation: Math.min(reservation, 16 * size) })
    },
    now: () => 1_700_000_000_000 + count++,
    randomLog: () => (BigInt(count++) * 0x9e3779b97f4a7c15n) % 2n ** 64n,
    logGrowth: 0,
  }
}

function contentOf(file: ArenaFile, size: number): Uint8Array {
  const content = new Uint8Array(size)
  file.read(contentAt, content)
  return content
}
