import { pageSize } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import { pagesAt } from '../../lpsm/arena-content.js'
import { readWhole } from '../../lpsm/arena-opening.js'
import { newestOf } from '../../lpsm/arena-reading.js'
import type { Ground } from '../../lpsm/ground.js'
import type { Arena } from '../../lpsm/index.js'
import { perform } from '../../lpsm/operation.js'
import { PlaceHeader } from '../../lpsm/place-header.js'

export const contentOf = (arena: Arena): Buffer => Buffer.from(arena.view(0, arena.size))

/** What the bytes of a target hold: read, and verified, as an arena. */
export function replicaOf(bytes: Uint8Array): { sequence: number; content: Buffer } {
  const memory = new BufferMemory(bytes.length)
  memory.copyIn(0, bytes)
  const refuse = (): never => {
    throw new Error('looking changes nothing')
  }
  const ground: Ground = {
    name: 'a target',
    size: bytes.length - pageSize,
    read: (offset, into) => memory.read(pageSize + offset, into),
    write: refuse,
    move: refuse,
    persistSync: refuse,
    persist: refuse,
  }
  const place = PlaceHeader.read(ground)
  if (!place) throw new Error('there is no arena')
  const files = place.files()
  const reading = perform(readWhole(files, true))
  const { sequence, size } = newestOf(reading)
  const content = Buffer.alloc(size)
  const pages = Array.from({ length: size / pageSize }, (_, page) => page)
  for (const [page, image] of pagesAt(files, reading.checkpoints, pages)) content.set(image, page * pageSize)
  return { sequence, content }
}
