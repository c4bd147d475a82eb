import { assert, pageSize, RpmemError } from '../core/index.js'
import { headerCount, minimumPartSize, partExtents } from '../poolset/index.js'

/** Where a part is and how many bytes its file holds, exactly. */
export interface PartPlace {
  readonly path: string
  readonly size: number
  /** Its presence alone makes it a part, as in a directory: the file gets its name when it is whole. */
  readonly staged?: boolean
}

export interface HeaderOptions {
  /** SINGLEHDR: only the first part has a header page. */
  readonly singleHeader: boolean
  /** NOHDRS: no part has one; wins over SINGLEHDR. */
  readonly noHeaders: boolean
}

/** The piece of one part's file that takes its place in the contiguous range of the replica. */
export interface Piece {
  /** Index of the part. */
  readonly part: number
  readonly fileOffset: number
  readonly poolOffset: number
  readonly length: number
}

export interface ReplicaLayout {
  /** How many parts, from the first, have a header page. */
  readonly headers: number
  /** Pool size in bytes; the header page of the first part belongs to it. */
  readonly size: number
  /** In order, without gaps, one for each part. */
  readonly pieces: readonly Piece[]
}

/** The contiguous range that parts make, as poolset computes it. */
export function replicaLayout(parts: readonly PartPlace[], options: HeaderOptions): ReplicaLayout {
  // With both options PMDK's arithmetic counts a header that it then does not write; the sizes are the same.
  const headers = options.noHeaders ? 0 : headerCount({ options }, parts.length)
  const extents = partExtents(
    parts.map(part => part.size),
    headers,
  )
  const pieces = extents.map(({ fileOffset, poolOffset, mappedSize: length }, part) => {
    return { part, fileOffset, poolOffset, length }
  })
  return { headers, size: pieces.reduce((sum, piece) => sum + piece.length, 0), pieces }
}

/** With one more part behind the others, without a header. `size`: bytes of its file. */
export function withPart({ headers, size: before, pieces }: ReplicaLayout, size: number): ReplicaLayout {
  const length = size - (size % pageSize)
  const piece = { part: pieces.length, fileOffset: 0, poolOffset: before, length }
  return { headers, size: before + length, pieces: [...pieces, piece] }
}

/** Which byte of which part a pool offset is. */
export function locate(layout: ReplicaLayout, offset: number): { part: number; fileOffset: number } {
  const piece = layout.pieces.findLast(({ poolOffset }) => poolOffset <= offset)
  assert(piece !== undefined && offset - piece.poolOffset < piece.length, 'the offset lies inside the pool')
  return { part: piece.part, fileOffset: piece.fileOffset + offset - piece.poolOffset }
}

/** Parts below 2 MiB, sizes that no file can have and a path that is listed twice are refused before any file is touched. */
export function checkPlaces(places: readonly PartPlace[]): void {
  assert(places.length > 0, 'a replica has parts')
  const seen = new Set<string>()
  for (const { path, size } of places) {
    if (!Number.isSafeInteger(size)) throw partSize(path, size, `${size} bytes are more than any file can hold`)
    if (size < minimumPartSize)
      throw partSize(path, size, `a part holds at least ${minimumPartSize} bytes, not ${size}`)
    if (seen.has(path)) {
      throw new RpmemError('ERR_POOLSET_UNSUITABLE', `${path} is listed twice`, { facts: { part: path } })
    }
    seen.add(path)
  }
}

export function partSize(path: string, size: number, reason: string): RpmemError {
  return new RpmemError('ERR_PART_SIZE', `${path}: ${reason}`, { facts: { part: path, size } })
}
