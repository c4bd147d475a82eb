import { assert, type Random, systemRandom, uuidSize } from '../core/index.js'

/**
 * UUIDs as the media holds them: the first three groups of the text are native (little-endian) integers, the other eight
 * bytes follow in the order of the text (reference pool-format 1.4).
 */
const textOrder = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
const groups = [8, 12, 16, 20]

/** A fresh UUID of version 4: the version is the high nibble of byte 7, the variant the two high bits of byte 8. */
export function newUuid(random: Random = systemRandom): Uint8Array {
  const uuid = random.bytes(uuidSize)
  uuid[7] = 0x40 | ((uuid[7] ?? 0) & 0x0f)
  uuid[8] = 0x80 | ((uuid[8] ?? 0) & 0x3f)
  return uuid
}

/** `ddccbbaa ffee hhgg …` on the media → 'aabbccdd-eeff-gghh-…' for people. */
export function formatUuid(uuid: Uint8Array): string {
  assert(uuid.length === uuidSize, 'a UUID has 16 bytes')
  const digits = textOrder.map(at => (uuid[at] ?? 0).toString(16).padStart(2, '0')).join('')
  return [0, ...groups].map((from, group) => digits.slice(from, groups[group])).join('-')
}

export function uuidsEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}

export const uuidIsZero = (uuid: Uint8Array): boolean => uuid.every(byte => byte === 0)
