import { pageSize } from '../core/index.js'
import { crc32c, pageChecksums } from '../fabric-native/index.js'

/** What guards every structure of both files: CRC-32C. */
export const checksum = crc32c

/** That of each page. */
export const pageSums = pageChecksums

let zeros: number | undefined

/** That of a page of zeros: what pages are made of that were never written. */
export const zeroSum = (): number => {
  zeros ??= crc32c(new Uint8Array(pageSize))
  return zeros
}
