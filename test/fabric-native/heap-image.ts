import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { MiB } from '../../core/index.js'
import { NativeHeap, NativeMemory } from '../../fabric-native/index.js'

/** Up to which size the heap of an image grows. */
export const imageCapacity = 4 * MiB

/** A block that is in use, every byte of it the mark. */
export interface MarkedBlock {
  offset: number
  size: number
  mark: number
}

/** What a process left of its heap: the bytes of the region, and which blocks must be in it. */
export interface HeapImage {
  readonly region: Uint8Array
  readonly blocks: readonly MarkedBlock[]
}

/** Under its name there is a whole image at any moment. */
export function writeImage(path: string, memory: NativeMemory, blocks: readonly MarkedBlock[]): void {
  const region = memory.view(0, imageCapacity)
  writeFileSync(`${path}.new`, Buffer.concat([region, Buffer.from(JSON.stringify(blocks))]))
  renameSync(`${path}.new`, path)
}

export function readImage(path: string): HeapImage {
  const bytes = readFileSync(path)
  return { region: bytes.subarray(0, imageCapacity), blocks: JSON.parse(bytes.toString('utf8', imageCapacity)) }
}

/** The heap of an image in new memory. @throws where the heap is not in order or a block is not as it was left */
export function openImage({ region, blocks }: HeapImage): { memory: NativeMemory; heap: NativeHeap } {
  const memory = NativeMemory.anonymous(imageCapacity)
  memory.copyIn(0, region)
  const heap = NativeHeap.open(memory, { existing: true, zeroed: true })
  const [finding] = heap.check()
  if (finding) throw new Error(`${finding.what} at ${finding.offset}`)
  for (const block of blocks) requireMark(memory, block)
  const live = liveBlocks(heap)
  if (live !== blocks.length) throw new Error(`${live} blocks are in use, not ${blocks.length}`)
  return { memory, heap }
}

export function requireMark(memory: NativeMemory, { offset, size, mark }: MarkedBlock): void {
  const at = memory.view(offset, size).findIndex(byte => byte !== mark)
  if (at >= 0) throw new Error(`the block at ${offset} is not as it was left, from byte ${at} on`)
}

export function liveBlocks(heap: NativeHeap): number {
  const { classes, large } = heap.statistics()
  return classes.reduce((sum, each) => sum + each.live, large.live)
}
