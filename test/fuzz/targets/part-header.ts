import { deepEqual } from 'node:assert/strict'
import { hasCode, pageSize } from '../../../core/index.js'
import { headerLayout, pageIsZero } from '../../../pool/header.js'
import { checkHeaders, encodeHeader, type HeaderPage, headerChecksum, type PartHeader } from '../../../pool/index.js'
import { readVector, vectorNames } from '../../pool/header-vectors.js'
import type { FuzzTarget } from '../fuzz-target.js'

const checksumAt = headerLayout.offsets.checksum ?? 0

/** The first byte says how many pages follow at most, and whether their checksums are put right first. */
const seed = (pages: readonly Uint8Array[], repaired: boolean): Uint8Array =>
  new Uint8Array(Buffer.concat([Uint8Array.of(pages.length * 2 + (repaired ? 1 : 0)), ...pages]))

export const target: FuzzTarget = {
  claim: 'The first pages of parts are headers that can be written again, or are ERR_HEADER_INVALID',
  seeds: vectorNames.flatMap(name => {
    const pages = readVector(name).map(({ page }) => page)
    return [seed(pages, false), seed(pages, true)]
  }),
  maxSize: 1 + 3 * pageSize,
  smokeRuns: 50_000,
  run(input) {
    const pages = pagesOf(input)
    if (pages.length === 0) return
    const headers = checked(pages)
    if (headers === undefined) return
    const again = headers.map((header, part) => ({ path: `${part}`, page: encodeHeader(header) }))
    // Reserved bytes alone make no empty page, but they are not kept.
    if (again.some(({ page }) => pageIsZero(page))) return
    deepEqual(checkHeaders(again).map(values), headers.map(values))
  },
}

/** What is reserved is not kept, so the checksum is another. */
const values = (header: PartHeader): PartHeader => ({ ...header, ...{ checksum: 0n } })

function pagesOf(input: Uint8Array): HeaderPage[] {
  const [first = 0] = input
  const count = Math.min(first >> 1, Math.floor((input.length - 1) / pageSize))
  return Array.from({ length: Math.max(0, count) }, (_, part) => {
    const page = input.slice(1 + part * pageSize, 1 + (part + 1) * pageSize)
    if (first & 1) new DataView(page.buffer).setBigUint64(checksumAt, headerChecksum(page), true)
    return { path: `${part}`, page }
  })
}

function checked(pages: readonly HeaderPage[]): PartHeader[] | undefined {
  try {
    return checkHeaders(pages)
  } catch (error) {
    if (hasCode(error, 'ERR_HEADER_INVALID')) return undefined
    throw error
  }
}
