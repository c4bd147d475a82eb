import { assert } from '../core/index.js'

/**
 * Fletcher-64 over little-endian 32-bit words as the pool format uses it: words from `end` on, and the two at `checksumAt`,
 * count as zero but still take part in the second sum.
 */
export function fletcher64(bytes: Uint8Array, end: number, checksumAt: number): bigint {
  assert(bytes.length % 4 === 0 && end % 4 === 0 && checksumAt % 4 === 0, 'a checksum is taken over whole words')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let low = 0
  let high = 0
  for (let at = 0; at < bytes.length; at += 4) {
    const counted = at < end && at !== checksumAt && at !== checksumAt + 4
    if (counted) low = (low + view.getUint32(at, true)) >>> 0
    high = (high + low) >>> 0
  }
  return (BigInt(high) << 32n) | BigInt(low)
}
