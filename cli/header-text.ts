import { decodeHeader, formatUuid, headerChecksum, type PartHeader } from '../pool/index.js'

/** What a header page says, for people and for programs; numbers that are bit sets or checksums are hexadecimal text. */
export interface HeaderView {
  readonly signature: string
  readonly major: number
  readonly compat: string
  readonly incompat: string
  readonly roCompat: string
  readonly poolset: string
  readonly part: string
  readonly previousPart: string
  readonly nextPart: string
  readonly previousReplica: string
  readonly nextReplica: string
  readonly created: string
  readonly archFlags: string
  readonly openFlag: boolean
  readonly checksum: string
  readonly checksumIsRight: boolean
}

export function headerView(page: Uint8Array): HeaderView {
  const header = decodeHeader(page)
  return {
    signature: signatureText(header.signature),
    major: header.major,
    compat: hex(header.compat),
    incompat: `${hex(header.incompat)}${incompatNames(header.incompat)}`,
    roCompat: hex(header.roCompat),
    ...links(header),
    created: timeText(header.createdAt),
    archFlags: Buffer.from(header.archFlags).toString('hex'),
    openFlag: header.shutdownState.dirty !== 0,
    checksum: hex(header.checksum),
    checksumIsRight: header.checksum === headerChecksum(page),
  }
}

const links = (header: PartHeader) => ({
  poolset: formatUuid(header.poolsetUuid),
  part: formatUuid(header.uuid),
  previousPart: formatUuid(header.prevPartUuid),
  nextPart: formatUuid(header.nextPartUuid),
  previousReplica: formatUuid(header.prevReplicaUuid),
  nextReplica: formatUuid(header.nextReplicaUuid),
})

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

function incompatNames(bits: number): string {
  const names = ['SINGLEHDR', 'CKSUM_2K', 'SHUTDOWN_STATE'].filter((_, index) => bits & (1 << index))
  return names.length > 0 ? ` ${names.join(' ')}` : ''
}

/** Signatures are text by custom only: bytes that a terminal would obey are shown as dots. */
const signatureText = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('latin1')
    .replace(/\0+$/, '')
    .replaceAll(/[^\x20-\x7e]/g, '.')

function timeText(seconds: bigint): string {
  const inRange = seconds < 8_640_000_000_000n
  return inRange ? new Date(Number(seconds) * 1000).toISOString() : `${seconds} s after 1970`
}

const rows: readonly (readonly [keyof HeaderView, string])[] = [
  ['signature', 'signature'],
  ['major', 'major'],
  ['compat', 'compat'],
  ['incompat', 'incompat'],
  ['roCompat', 'ro compat'],
  ['poolset', 'pool set'],
  ['part', 'this part'],
  ['previousPart', 'previous part'],
  ['nextPart', 'next part'],
  ['previousReplica', 'previous replica'],
  ['nextReplica', 'next replica'],
  ['created', 'created'],
  ['archFlags', 'arch flags'],
]

export function headerLines(view: HeaderView): string[] {
  return [
    ...rows.map(([key, name]) => `  ${name.padEnd(16)}  ${view[key]}`),
    `  ${'shutdown'.padEnd(16)}  ${view.openFlag ? 'not closed cleanly, or open now' : 'clean'}`,
    `  ${'checksum'.padEnd(16)}  ${view.checksum} ${view.checksumIsRight ? 'right' : 'WRONG'}`,
  ]
}
