import { controlHeader, controlHeaderRule } from './control-table.js'
import type { FrameShape } from './framer.js'
import { requestHeader, responseHeader } from './pmdk-layout.js'
import { pmdkRequestHeaderRule } from './pmdk-request-codec.js'
import { pmdkResponseHeaderRule } from './pmdk-response.js'

const offset = (offsets: Readonly<Record<string, number>>, field: string): number => offsets[field] ?? 0

/** What a target of the PMDK dialect receives. */
export const pmdkRequestShape: FrameShape = {
  name: 'PMDK request',
  headerSize: requestHeader.size,
  typeAt: offset(requestHeader.offsets, 'type'),
  sizeAt: offset(requestHeader.offsets, 'size'),
  rule: pmdkRequestHeaderRule,
}

/**
 * What an initiator of the PMDK dialect receives. PMDK's daemon writes a stray errno word of 4 bytes when its session ends
 * badly: at the end of the stream a `pending` of 4 is that word and no cut message.
 */
export const pmdkResponseShape: FrameShape = {
  name: 'PMDK response',
  headerSize: responseHeader.size,
  typeAt: offset(responseHeader.offsets, 'type'),
  sizeAt: offset(responseHeader.offsets, 'size'),
  rule: pmdkResponseHeaderRule,
}

/** What both ends of the rpmem dialect receive. */
export const controlShape: FrameShape = {
  name: 'control message',
  headerSize: controlHeader.size,
  typeAt: offset(controlHeader.offsets, 'type'),
  sizeAt: offset(controlHeader.offsets, 'size'),
  rule: controlHeaderRule,
}
