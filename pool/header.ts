import {
  assert,
  bytes,
  incompatSingleHeader,
  pageSize,
  reserved,
  signatureSize,
  struct,
  u32le,
  u64le,
  userFlagsSize,
  uuidSize,
  type ValueOf,
} from '../core/index.js'
import { fletcher64 } from './fletcher.js'
import { shutdownStateLayout } from './shutdown-state.js'

/** Bits of `incompat` (reference pool-format 1.2). */
export const incompatChecksum2K = 0x2
export const incompatShutdownState = 0x4
export const knownIncompat = incompatSingleHeader | incompatChecksum2K | incompatShutdownState

/**
 * The first page of a part, byte for byte as PMDK 1.12 has it. `poolsetUuid` is shared by the whole pool set, the part
 * UUIDs make a ring inside the replica and the replica UUIDs a ring of the first parts of all replicas.
 */
export const headerLayout = struct('part header', pageSize, {
  signature: bytes(signatureSize),
  major: u32le,
  compat: u32le,
  incompat: u32le,
  roCompat: u32le,
  poolsetUuid: bytes(uuidSize),
  uuid: bytes(uuidSize),
  prevPartUuid: bytes(uuidSize),
  nextPartUuid: bytes(uuidSize),
  prevReplicaUuid: bytes(uuidSize),
  nextReplicaUuid: bytes(uuidSize),
  /** Seconds since the epoch. */
  createdAt: u64le,
  archFlags: bytes(userFlagsSize),
  unused: reserved(1904),
  unused2: reserved(1976),
  shutdownState: shutdownStateLayout,
  checksum: u64le,
})

/** A header as a value; its checksum is computed by `encodeHeader` and checked by `checkHeaders`. */
export type PartHeader = Omit<ValueOf<typeof headerLayout>, 'checksum'>

const checksumAt = headerLayout.offsets.checksum ?? 0
const incompatAt = headerLayout.offsets.incompat ?? 0
const halfPage = 2048

/** The page with its checksum. With CKSUM_2K the shutdown state is not covered, without it everything is. */
export function encodeHeader(header: PartHeader): Uint8Array {
  const page = headerLayout.encode({ ...header, checksum: 0n })
  new DataView(page.buffer).setBigUint64(checksumAt, headerChecksum(page), true)
  return page
}

/** Reads without judging; `checkHeaders` judges. */
export function decodeHeader(page: Uint8Array): PartHeader & { readonly checksum: bigint } {
  return headerLayout.decode(page)
}

/** The checksum that the page ought to carry; which part of it is covered is told by its own incompat word. */
export function headerChecksum(page: Uint8Array): bigint {
  assert(page.length === pageSize, 'a header is one page')
  const incompat = new DataView(page.buffer, page.byteOffset).getUint32(incompatAt, true)
  return fletcher64(page, incompat & incompatChecksum2K ? halfPage : checksumAt, checksumAt)
}

export const pageIsZero = (page: Uint8Array): boolean => page.every(byte => byte === 0)
