import { attributesAreZero, type PoolAttributes, zeroAttributes } from '../core/index.js'
import {
  attributeBlock,
  closeFlagRemove,
  closeFlags,
  commonBlock,
  nameLength,
  nameOf,
  pmdkProviders,
  pmdkVersion,
  requestHeader,
} from './pmdk-layout.js'
import {
  type PmdkCreate,
  type PmdkOpen,
  type PmdkRequest,
  type PmdkRequestType,
  pmdkRequestTypes,
} from './pmdk-request.js'
import { checkPoolSetName, maxPoolSetNameSize } from './pool-set-name.js'
import { reading, violation } from './violation.js'

const commonAt = requestHeader.size
const attributesAt = commonAt + commonBlock.size
const openFixed = attributesAt + nameLength.size
const createFixed = openFixed + attributeBlock.size

/** Bytes before the pool set name, or of the whole message where there is none. */
const fixedSizes = {
  create: createFixed,
  open: openFixed,
  close: requestHeader.size + closeFlags.size,
  setAttributes: requestHeader.size + attributeBlock.size,
} as const satisfies Record<PmdkRequestType, number>

const hasName = (type: PmdkRequestType): boolean => type === 'create' || type === 'open'

/** The rule that a request header breaks, or undefined. PMDK's daemon has no upper limit and allocates what it is told. */
export function pmdkRequestHeaderRule(value: number, size: number): string | undefined {
  const type = nameOf(pmdkRequestTypes, value)
  if (type === undefined) return 'the message type is unknown'
  const fixed = fixedSizes[type]
  if (!hasName(type)) return size === fixed ? undefined : `the size of ${type} is ${fixed}`
  const least = fixed + 2
  const most = fixed + maxPoolSetNameSize
  return size >= least && size <= most ? undefined : `the size of ${type} lies between ${least} and ${most}`
}

export function encodePmdkRequest(request: PmdkRequest): Uint8Array {
  switch (request.type) {
    case 'create':
      return frame(request.type, common(request), attributes(request.attributes), ...name(request.poolSet))
    case 'open':
      return frame(request.type, common(request), ...name(request.poolSet))
    case 'close':
      return frame(request.type, closeFlags.encode({ value: request.remove ? closeFlagRemove : 0 }))
    case 'setAttributes':
      return frame(request.type, attributes(request.attributes))
  }
}

/** Reads one whole frame, as the framer delivers it. Anything else than a request is ERR_PROTOCOL with the rule it breaks. */
export function decodePmdkRequest(source: Uint8Array): PmdkRequest {
  return reading('PMDK request', () => {
    const header = requestHeader.decode(source)
    const type = nameOf(pmdkRequestTypes, header.type)
    const rule =
      pmdkRequestHeaderRule(header.type, header.size) ??
      (header.size === source.length ? undefined : 'the size in the header is that of the message')
    if (type === undefined || rule !== undefined) throw violation('PMDK request', rule ?? '', header)
    return decodeBody(type, source)
  })
}

function decodeBody(type: PmdkRequestType, source: Uint8Array): PmdkRequest {
  switch (type) {
    case 'create':
      return {
        type,
        ...readCommon(type, source),
        attributes: readAttributes(source, attributesAt),
        poolSet: readName(type, source),
      }
    case 'open':
      return { type, ...readCommon(type, source), poolSet: readName(type, source) }
    case 'close':
      return { type, remove: (closeFlags.decode(source, requestHeader.size).value & closeFlagRemove) !== 0 }
    case 'setAttributes':
      return { type, attributes: readAttributes(source, requestHeader.size) }
  }
}

function readCommon(type: PmdkRequestType, source: Uint8Array) {
  const { major, minor, provider: value, ...rest } = commonBlock.decode(source, commonAt)
  if (major !== pmdkVersion.major || minor !== pmdkVersion.minor) {
    throw violation(`PMDK ${type} request`, 'the version of the protocol is 0.1', { major, minor })
  }
  const provider = nameOf(pmdkProviders, value)
  if (provider === undefined) throw violation(`PMDK ${type} request`, 'the provider is 1 or 2', { provider: value })
  return { ...rest, provider }
}

function readAttributes(source: Uint8Array, at: number): PoolAttributes | undefined {
  const value = attributeBlock.decode(source, at)
  return attributesAreZero(value) ? undefined : value
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readName(type: 'create' | 'open', source: Uint8Array): string {
  const fixed = fixedSizes[type]
  const length = nameLength.decode(source, fixed - nameLength.size).value
  const broken = (rule: string) => violation(`PMDK ${type} request`, rule, { length, size: source.length })
  if (fixed + length !== source.length) throw broken('the message ends with the pool set name')
  const nul = source.indexOf(0, fixed)
  if (nul === -1) throw broken('the pool set name ends with a NUL')
  if (nul !== source.length - 1) throw broken('the pool set name contains no NUL but its last')
  try {
    return utf8.decode(source.subarray(fixed, nul))
  } catch {
    throw broken('the pool set name is UTF-8')
  }
}

function frame(type: PmdkRequestType, ...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, requestHeader.size)
  return new Uint8Array(Buffer.concat([requestHeader.encode({ type: pmdkRequestTypes[type], size }), ...parts]))
}

function common(request: PmdkCreate | PmdkOpen): Uint8Array {
  const { poolSize, lanes, bufferSize } = request
  return commonBlock.encode({
    ...pmdkVersion,
    poolSize,
    lanes,
    provider: pmdkProviders[request.provider],
    bufferSize,
  })
}

const attributes = (value: PoolAttributes | undefined): Uint8Array => attributeBlock.encode(value ?? zeroAttributes())

function name(poolSet: string): [Uint8Array, Uint8Array] {
  checkPoolSetName(poolSet)
  const text = Buffer.from(`${poolSet}\0`, 'utf8')
  return [nameLength.encode({ value: text.length }), text]
}
