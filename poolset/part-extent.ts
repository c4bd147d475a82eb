import { pageSize } from '../core/index.js'
import { roundDown } from './measure.js'

/** The piece of one part that takes its place in the contiguous range of the replica. Bytes. */
export interface PartExtent {
  readonly hasHeader: boolean
  /** Where in the pool its memory begins, and how much it contributes. */
  readonly poolOffset: number
  readonly mappedSize: number
  /** Where in the file the mapped range begins. */
  readonly fileOffset: number
}

/**
 * The contiguous range that parts of these sizes make (reference pool-format 4): the first from its byte 0, each further one
 * from behind its header page if it is among the first `headers`; a tail of less than a page is unused.
 */
export function partExtents(sizes: readonly (number | bigint)[], headers: number): PartExtent[] {
  let poolOffset = 0
  return sizes.map((size, index) => {
    const hasHeader = index < headers
    const fileOffset = hasHeader && index > 0 ? pageSize : 0
    const mappedSize = Math.max(Number(roundDown(BigInt(size))) - fileOffset, 0)
    const extent = { hasHeader, poolOffset, mappedSize, fileOffset }
    poolOffset += mappedSize
    return extent
  })
}
