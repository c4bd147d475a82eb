import { alignDown, assert, MiB, pageSize, RpmemError } from '../core/index.js'

/** Where a part is and how many bytes its file holds, exactly. */
export interface PartPlace {
  readonly path: string
  readonly size: number
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

export const minimumPartSize = 2 * MiB
export const minimumPoolSize = 2 * pageSize

/**
 * The contiguous range that parts make (reference pool-format 4): the first from its byte 0, each further one from behind
 * its header page if it has one; a tail of less than a page is unused.
 */
export function replicaLayout(parts: readonly PartPlace[], options: HeaderOptions): ReplicaLayout {
  const headers = headerCount(parts.length, options)
  const pieces: Piece[] = []
  let poolOffset = 0
  for (const [part, { size }] of parts.entries()) {
    const fileOffset = part > 0 && part < headers ? pageSize : 0
    const length = Math.max(alignDown(size, pageSize) - fileOffset, 0)
    pieces.push({ part, fileOffset, poolOffset, length })
    poolOffset += length
  }
  return { headers, size: poolOffset, pieces }
}

function headerCount(parts: number, options: HeaderOptions): number {
  if (options.noHeaders) return 0
  return options.singleHeader ? 1 : parts
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
    if (size < minimumPartSize) throw partSize(path, size, `a part holds at least 2 MiB, not ${size} bytes`)
    if (seen.has(path)) {
      throw new RpmemError('ERR_POOLSET_UNSUITABLE', `${path} is listed twice`, { facts: { part: path } })
    }
    seen.add(path)
  }
}

export function partSize(path: string, size: number, reason: string): RpmemError {
  return new RpmemError('ERR_PART_SIZE', `${path}: ${reason}`, { facts: { part: path, size } })
}
