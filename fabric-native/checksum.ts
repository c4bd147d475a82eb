import { loadBinding } from './binding.js'

/** CRC-32C of the bytes (RFC 3720, appendix B.4). */
export const crc32c = (bytes: Uint8Array): number => loadBinding().checksum(bytes)

/** CRC-32C of each 4096 bytes. */
export const pageChecksums = (bytes: Uint8Array): Uint32Array => loadBinding().pageChecksums(bytes)
