import { bytes, count64le, pageSize, reserved, struct, u32le, type ValueOf } from '../core/index.js'

/**
 * The first page of a managed arena; the heap begins behind it. It has no checksum of its own: a checkpoint is whole or not had.
 */
export const managedHeaderLayout = struct('managed arena header', 64, {
  magic: bytes(8),
  version: u32le,
  unused: reserved(4),
  /** Bytes that the heap was made for. */
  capacity: count64le,
  more: reserved(40),
})

export type ManagedHeader = ValueOf<typeof managedHeaderLayout>

export const managedMagic: Uint8Array = new Uint8Array(Buffer.from('RPMHEAPS'))
export const managedVersion = 1

/** How many root pointers there are. Source: lpsm_init. */
export const rootCount = 32

/** Offset of the first root, 8 bytes each, little endian. */
export const rootsAt = managedHeaderLayout.size

/** Offset of the first byte of the heap in the arena. */
export const heapAt = pageSize

/** What keeps this page from being the begin of a managed arena; undefined if it is one. */
export function brokenManagedRule({ magic, version, capacity }: ManagedHeader): string | undefined {
  if (!Buffer.from(managedMagic).equals(magic)) return 'it begins with something else'
  if (version !== managedVersion) return `it is of version ${version}`
  if (capacity % pageSize !== 0 || capacity === 0) return `its heap is made for ${capacity} bytes`
  return undefined
}
