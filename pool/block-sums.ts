import { hash } from 'node:crypto'
import { assert } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'

/** Bytes of the checksum of one block: the first half of its SHA-256. */
export const blockSumSize = 16

/**
 * The checksums of consecutive blocks, one behind the other; the last block may be shorter. Throws the failure of a memory
 * that lost a page under the reading.
 */
export function blockSums(memory: Memory, offset: number, length: number, blockSize: number): Uint8Array {
  assert(blockSize > 0, 'a block has a size')
  const sums = new Uint8Array(Math.ceil(length / blockSize) * blockSumSize)
  for (let at = 0, index = 0; at < length; at += blockSize, index++) {
    const block = memory.view(offset + at, Math.min(blockSize, length - at))
    sums.set(hash('sha256', block, 'buffer').subarray(0, blockSumSize), index * blockSumSize)
  }
  if (memory.failure) throw memory.failure
  return sums
}

/** Indices of the blocks in which the two lists differ. A list that is too short differs where it ends. */
export function differingBlocks(ours: Uint8Array, theirs: Uint8Array): number[] {
  const count = ours.length / blockSumSize
  return Array.from({ length: count }, (_, index) => index).filter(index => {
    const at = index * blockSumSize
    return Buffer.compare(ours.subarray(at, at + blockSumSize), theirs.subarray(at, at + blockSumSize)) !== 0
  })
}
