import { assert } from '../../core/index.js'

/**
 * The control messages of PMDK 1.12, written down from the description of its protocol a second time and without a glance at
 * wire/: whoever changes a layout there has to be wrong twice to get past the tests that use this.
 */

/** What may stand in a field, so that a test can put there what may not. */
export type Meaning = 'size' | 'type' | 'version' | 'choice' | 'status' | 'port' | 'number' | 'bytes'

export interface Field {
  readonly at: number
  readonly size: number
  readonly order: 'big' | 'little'
  readonly meaning: Meaning
  /** All the values with a meaning, of a choice. */
  readonly choices?: readonly number[]
}

export type Fields = Readonly<Record<string, Field>>

const big = (at: number, size: number, meaning: Meaning = 'number', choices?: readonly number[]): Field => ({
  ...{ at, size, order: 'big', meaning },
  ...(choices && { choices }),
})
const little = (at: number, size: number, meaning: Meaning = 'number'): Field => ({
  at,
  size,
  order: 'little',
  meaning,
})
const raw = (at: number, size: number): Field => big(at, size, 'bytes')

export const attributesSize = 104
/** Of the name that follows, its NUL included. */
export const maxInline = 8192

const requestHead = { type: big(0, 4, 'type'), size: big(4, 8, 'size') }
const common = {
  major: big(12, 2, 'version'),
  minor: big(14, 2, 'version'),
  poolSize: big(16, 8),
  lanes: big(24, 4),
  provider: big(28, 4, 'choice', [1, 2]),
  bufferSize: big(32, 8),
}

export const requests = {
  create: {
    type: 1,
    fixed: 148,
    named: true,
    fields: { ...requestHead, ...common, attributes: raw(40, attributesSize), nameSize: big(144, 4, 'size') },
  },
  open: { type: 3, fixed: 44, named: true, fields: { ...requestHead, ...common, nameSize: big(40, 4, 'size') } },
  // The flags stay as the processor has them: only the header is swapped.
  close: { type: 5, fixed: 16, named: false, fields: { ...requestHead, flags: little(12, 4) } },
  setAttributes: {
    type: 7,
    fixed: 116,
    named: false,
    fields: { ...requestHead, attributes: raw(12, attributesSize) },
  },
} as const satisfies Readonly<Record<string, { type: number; fixed: number; named: boolean; fields: Fields }>>

const responseHead = { status: big(0, 4, 'status'), type: big(4, 4, 'type'), size: big(8, 8, 'size') }
const inBand = {
  port: big(16, 4, 'port'),
  method: big(20, 4, 'choice', [1, 2]),
  rkey: big(24, 8),
  raddr: big(32, 8),
  // Forgotten when the block is swapped.
  lanes: little(40, 4),
}

export const responses = {
  create: { type: 2, size: 44, fields: { ...responseHead, ...inBand } },
  open: { type: 4, size: 148, fields: { ...responseHead, ...inBand, attributes: raw(44, attributesSize) } },
  close: { type: 6, size: 16, fields: responseHead },
  setAttributes: { type: 8, size: 16, fields: responseHead },
} as const satisfies Readonly<Record<string, { type: number; size: number; fields: Fields }>>

export type RequestName = keyof typeof requests
export const requestNames = Object.keys(requests) as RequestName[]

export type Values = Readonly<Record<string, number | bigint | Uint8Array>>

export function put(bytes: Uint8Array, field: Field, value: number | bigint | Uint8Array): void {
  if (typeof value === 'object') {
    assert(value.length === field.size, 'raw bytes fill their field')
    bytes.set(value, field.at)
    return
  }
  let rest = BigInt.asUintN(field.size * 8, BigInt(value))
  for (let n = 0; n < field.size; n++, rest >>= 8n) {
    bytes[field.at + (field.order === 'little' ? n : field.size - 1 - n)] = Number(rest & 0xffn)
  }
}

export function get(bytes: Uint8Array, field: Field): bigint {
  let value = 0n
  for (let n = 0; n < field.size; n++) {
    const at = field.at + (field.order === 'big' ? n : field.size - 1 - n)
    value = (value << 8n) | BigInt(bytes[at] ?? 0)
  }
  return value
}

export const getNumber = (bytes: Uint8Array, field: Field): number => Number(get(bytes, field))
export const getBytes = (bytes: Uint8Array, field: Field): Uint8Array =>
  new Uint8Array(bytes.subarray(field.at, field.at + field.size))

/** A request of librpmem; what is not given is what librpmem always sends, or zero. */
export function request(name: RequestName, values: Values = {}, poolSet = ''): Uint8Array {
  const { type, fixed, named } = requests[name]
  const fields: Fields = requests[name].fields
  const tail = named ? Buffer.from(`${poolSet}\0`) : Buffer.of()
  const bytes = new Uint8Array(fixed + tail.length)
  bytes.set(tail, fixed)
  const always = { type, size: bytes.length, minor: 1, provider: 2, bufferSize: maxInline, nameSize: tail.length }
  for (const [field, value] of Object.entries({ ...always, ...values })) {
    const place = fields[field]
    if (place) put(bytes, place, value)
  }
  return bytes
}

/** An answer of rpmemd; a refusal has the full size too, and is zero behind its header. */
export function response(name: RequestName, values: Values = {}): Uint8Array {
  const { type, size } = responses[name]
  const fields: Fields = responses[name].fields
  const bytes = new Uint8Array(size)
  for (const [field, value] of Object.entries({ type, size, ...values })) {
    const place = fields[field]
    assert(place !== undefined, `an answer to ${name} has a field ${field}`)
    put(bytes, place, value)
  }
  return bytes
}

/** Name and pool set of a whole request. */
export function readRequest(bytes: Uint8Array): { name: RequestName; poolSet: string } {
  const type = getNumber(bytes, requestHead.type)
  const name = requestNames.find(known => requests[known].type === type)
  assert(name !== undefined, `type ${type} is that of a request`)
  assert(getNumber(bytes, requestHead.size) === bytes.length, 'a request is as long as it says')
  const { fixed } = requests[name]
  const text = Buffer.from(bytes.subarray(fixed)).toString()
  return { name, poolSet: text.slice(0, -1) }
}

/** Bytes of the request that begins so, or undefined while that cannot be known. */
export const sizeOfRequest = (bytes: Uint8Array): number | undefined =>
  bytes.length < 12 ? undefined : getNumber(bytes, requestHead.size)
