import { attributesAreZero, type PoolAttributes, zeroAttributes } from '../core/index.js'
import { attributeBlock, inBandBlock, nameOf, type PmdkMethod, pmdkMethods, responseHeader } from './pmdk-layout.js'
import { type PmdkRequestType, pmdkRequestTypes } from './pmdk-request.js'
import { type PmdkRefusal, pmdkStatusOf, pmdkStatusValue } from './pmdk-status.js'
import { reading, violation } from './violation.js'

/** Where the lanes of this session connect. */
export interface InBand {
  /** 1 … 65535. */
  readonly port: number
  readonly method: PmdkMethod
  readonly rkey: bigint
  /** Target address of pool offset 0. */
  readonly raddr: bigint
  /** Lanes granted. */
  readonly lanes: number
}

export interface PmdkRefused<T extends PmdkRequestType = PmdkRequestType> {
  readonly type: T
  readonly status: PmdkRefusal
}

interface Created {
  readonly type: 'create'
  readonly status: 'SUCCESS'
  readonly inBand: InBand
}

interface Opened {
  readonly type: 'open'
  readonly status: 'SUCCESS'
  readonly inBand: InBand
  /** Undefined, on the wire all zero, for a pool without headers. */
  readonly attributes: PoolAttributes | undefined
}

interface Done<T extends 'close' | 'setAttributes'> {
  readonly type: T
  readonly status: 'SUCCESS'
}

interface Successes {
  create: Created
  open: Opened
  close: Done<'close'>
  setAttributes: Done<'setAttributes'>
}

export type PmdkResponse<T extends PmdkRequestType = PmdkRequestType> = {
  [K in T]: Successes[K] | PmdkRefused<K>
}[T]

const inBandAt = responseHeader.size
const attributesAt = inBandAt + inBandBlock.size

const sizes = {
  create: attributesAt,
  open: attributesAt + attributeBlock.size,
  close: responseHeader.size,
  setAttributes: responseHeader.size,
} as const satisfies Record<PmdkRequestType, number>

const answerTo = (value: number): PmdkRequestType | undefined => nameOf(pmdkRequestTypes, value - 1)

/** The rule that a response header breaks, or undefined. Refusals have the full size too. */
export function pmdkResponseHeaderRule(value: number, size: number): string | undefined {
  const type = answerTo(value)
  if (type === undefined) return 'the message type is unknown'
  return size === sizes[type] ? undefined : `the size of an answer to ${type} is ${sizes[type]}`
}

export function encodePmdkResponse(response: PmdkResponse): Uint8Array {
  const { type } = response
  const target = new Uint8Array(sizes[type])
  const header = { status: pmdkStatusValue(response.status), type: pmdkRequestTypes[type] + 1, size: target.length }
  target.set(responseHeader.encode(header))
  if (response.status !== 'SUCCESS') return target
  if (response.type === 'create' || response.type === 'open') {
    target.set(inBandBlock.encode({ ...response.inBand, method: pmdkMethods[response.inBand.method] }), inBandAt)
  }
  if (response.type === 'open') {
    target.set(attributeBlock.encode(response.attributes ?? zeroAttributes()), attributesAt)
  }
  return target
}

/**
 * Reads one whole frame as the answer to `expected`, with librpmem's checks in librpmem's order. A refusal is a value; a
 * message that breaks a rule is ERR_PROTOCOL.
 */
export function decodePmdkResponse<T extends PmdkRequestType>(source: Uint8Array, expected: T): PmdkResponse<T> {
  const message = `PMDK ${expected} response`
  return reading(message, () => {
    const header = responseHeader.decode(source)
    if (answerTo(header.type) !== expected) throw violation(message, 'the type is that of the answer expected', header)
    const rule = pmdkResponseHeaderRule(header.type, header.size)
    if (rule !== undefined) throw violation(message, rule, header)
    if (source.length !== header.size) throw violation(message, 'the size in the header is that of the message', header)
    const status = pmdkStatusOf(header.status)
    if (status === undefined) throw violation(message, 'the status is less than 14', header)
    return (status === 'SUCCESS' ? readSuccess(expected, source) : { type: expected, status }) as PmdkResponse<T>
  })
}

function readSuccess(type: PmdkRequestType, source: Uint8Array): PmdkResponse {
  const status = 'SUCCESS'
  switch (type) {
    case 'create':
      return { type, status, inBand: readInBand(type, source) }
    case 'open':
      return { type, status, inBand: readInBand(type, source), attributes: readAttributes(source) }
    case 'close':
    case 'setAttributes':
      return { type, status }
  }
}

function readInBand(type: PmdkRequestType, source: Uint8Array): InBand {
  const { port, method: value, ...rest } = inBandBlock.decode(source, inBandAt)
  const message = `PMDK ${type} response`
  if (port < 1 || port > 65535) throw violation(message, 'the port lies between 1 and 65535', { port })
  const method = nameOf(pmdkMethods, value)
  if (method === undefined) throw violation(message, 'the persist method is 1 or 2', { method: value })
  return { port, method, ...rest }
}

function readAttributes(source: Uint8Array): PoolAttributes | undefined {
  const attributes = attributeBlock.decode(source, attributesAt)
  return attributesAreZero(attributes) ? undefined : attributes
}
