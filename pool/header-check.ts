import { assert, RpmemError } from '../core/index.js'
import { decodeHeader, headerChecksum, type PartHeader, pageIsZero } from './header.js'
import { ring } from './linkage.js'

/** The page read from a part that should hold a header. */
export interface HeaderPage {
  readonly path: string
  readonly page: Uint8Array
}

const features = ['signature', 'major', 'compat', 'incompat', 'roCompat'] as const
const shared = ['poolsetUuid', 'prevReplicaUuid', 'nextReplicaUuid', 'archFlags'] as const

/**
 * Checks the headers of one replica in the order of reference pool-format 3.3, the ring last, so that a damaged part is
 * named and not its neighbour. The first rule broken is ERR_HEADER_INVALID with facts `part` and `field`. What signature,
 * features and flags mean is not judged here.
 */
export function checkHeaders(pages: readonly HeaderPage[]): PartHeader[] {
  const headers: PartHeader[] = []
  for (const { path, page } of pages) headers.push(checkHeader(path, page, headers[0]))
  const links = ring(headers.map(header => header.uuid))
  for (const [part, { path }] of pages.entries()) {
    const [header, link] = [headers[part], links[part]]
    assert(header && link, 'there are as many headers as pages')
    if (!equal(header.prevPartUuid, link.prev)) throw invalid(path, 'prevPartUuid', 'the part before it is another')
    if (!equal(header.nextPartUuid, link.next)) throw invalid(path, 'nextPartUuid', 'the part behind it is another')
  }
  return headers
}

function checkHeader(path: string, page: Uint8Array, first: PartHeader | undefined): PartHeader {
  const header = decodeHeader(page)
  if (pageIsZero(page)) throw invalid(path, 'signature', 'the header is empty')
  if (first) same(path, features, header, first)
  if (header.checksum !== headerChecksum(page)) throw invalid(path, 'checksum', 'the checksum is wrong')
  if (first) same(path, shared, header, first)
  return header
}

function same<K extends keyof PartHeader>(path: string, fields: readonly K[], left: PartHeader, right: PartHeader) {
  for (const field of fields) {
    if (!equal(left[field], right[field])) throw invalid(path, field, `${field} differs from that of the first part`)
  }
}

function equal(left: unknown, right: unknown): boolean {
  if (!(left instanceof Uint8Array && right instanceof Uint8Array)) return left === right
  return Buffer.compare(left, right) === 0
}

/** Also for the rules that only a pool knows: features, signature, links between replicas. */
export function invalid(part: string, field: string, reason: string): RpmemError {
  return new RpmemError('ERR_HEADER_INVALID', `${part}: ${reason}`, { facts: { part, field } })
}
