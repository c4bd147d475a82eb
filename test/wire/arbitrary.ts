import fc from 'fast-check'
import type { PoolAttributes } from '../../core/index.js'
import { attributesAreZero, printable } from '../../core/index.js'
import type { ControlMessage, InBand, PmdkPersist, PmdkRequest, PmdkResponse } from '../../wire/index.js'
import { pmdkStatusOf, poolSetNameRule } from '../../wire/index.js'

/** Random messages for the property tests. */

const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>

export const u32 = fc.nat({ max: 0xffffffff })
const count = fc.maxSafeNat()
const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const word64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
export const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })

export const attributes: fc.Arbitrary<PoolAttributes> = record({
  signature: bytes(8),
  major: u32,
  compat: u32,
  incompat: u32,
  roCompat: u32,
  poolsetUuid: bytes(16),
  uuid: bytes(16),
  nextUuid: bytes(16),
  prevUuid: bytes(16),
  userFlags: bytes(16),
})

const maybeAttributes = fc.option(
  attributes.filter(value => !attributesAreZero(value)),
  { nil: undefined },
)

const poolSet = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 64 })
  .filter(name => poolSetNameRule(name) === undefined)

const pmdkCommon = {
  poolSize: count,
  lanes: u32,
  provider: fc.constantFrom('verbs', 'sockets'),
  bufferSize: count,
  poolSet,
} as const

export const pmdkRequest: fc.Arbitrary<PmdkRequest> = fc.oneof(
  record({ type: fc.constant('create'), ...pmdkCommon, attributes: maybeAttributes }),
  record({ type: fc.constant('open'), ...pmdkCommon }),
  record({ type: fc.constant('close'), remove: fc.boolean() }),
  record({ type: fc.constant('setAttributes'), attributes: maybeAttributes }),
)

const inBand: fc.Arbitrary<InBand> = record({
  port: fc.integer({ min: 1, max: 65535 }),
  method: fc.constantFrom('GPSPM', 'APM'),
  rkey: word64,
  raddr: word64,
  lanes: u32,
})

const refusal = fc.integer({ min: 1, max: 13 }).map(value => {
  const status = pmdkStatusOf(value)
  return status === undefined || status === 'SUCCESS' ? 'FATAL' : status
})
const success = fc.constant('SUCCESS' as const)

export const pmdkResponse: fc.Arbitrary<PmdkResponse> = fc.oneof(
  record({ type: fc.constantFrom('create', 'open', 'close', 'setAttributes'), status: refusal }),
  record({ type: fc.constant('create'), status: success, inBand }),
  record({ type: fc.constant('open'), status: success, inBand, attributes: maybeAttributes }),
  record({ type: fc.constantFrom('close', 'setAttributes'), status: success }),
) as fc.Arbitrary<PmdkResponse>

export const pmdkPersist: fc.Arbitrary<PmdkPersist> = fc.oneof(
  record({ mode: fc.constantFrom('flush', 'deep'), lane: u32, address: word64, size: count }),
  record({ lane: u32, address: word64, data: fc.uint8Array({ maxLength: 256 }) }).map(value => ({
    mode: 'inline' as const,
    size: value.data.length,
    ...value,
  })),
)

const offer = record({
  provider: fc.constantFrom('verbs', 'tcp', 'sockets'),
  fabricName: fc.string({ maxLength: 64 }),
  protocol: u32,
  protocolVersion: u32,
  maxLanes: count,
  maxMessageSize: count,
}).map(value => ({ provider: value.provider, offer: value }))
const absence = record({
  provider: fc.constantFrom('verbs', 'tcp', 'sockets'),
  reason: fc.string({ maxLength: 1024 }),
})

const capabilities = fc.array(fc.string({ maxLength: 64 }), { maxLength: 8 })
const versions = fc.tuple(id, id).map(([left, right]) => ({ min: Math.min(left, right), max: Math.max(left, right) }))

const request = {
  id,
  poolSet,
  size: count,
  lanes: u32,
  provider: fc.string({ maxLength: 32 }),
  inlineSize: count,
}

const scalar = fc.oneof(fc.string({ unit: 'binary', maxLength: 64 }).map(printable), fc.integer())
const facts = fc.dictionary(
  fc.string({ maxLength: 64 }),
  fc.oneof(scalar, fc.boolean(), fc.array(scalar, { maxLength: 8 })),
  { noNullPrototype: true },
)

export const controlMessage: fc.Arbitrary<ControlMessage> = fc.oneof(
  record({
    type: fc.constant('hello'),
    versions,
    software: fc.string({ unit: 'binary', maxLength: 128 }).map(printable),
    capabilities,
    offers: fc.array(fc.oneof(offer, absence), { maxLength: 3 }),
  }),
  record({ type: fc.constant('accept'), version: id, capabilities }),
  record({ type: fc.constant('create'), ...request, attributes: maybeAttributes }),
  record({ type: fc.constant('open'), ...request }),
  record({
    type: fc.constant('ready'),
    id,
    address: fc.string({ maxLength: 256 }),
    port: fc.integer({ min: 1, max: 65535 }),
    method: fc.constantFrom('GPSPM', 'APM'),
    durability: fc.constantFrom('dax', 'msync', 'volatile'),
    rkey: word64,
    raddr: word64,
    lanes: fc.integer({ min: 1, max: 0xffffffff }),
    inlineSize: fc.integer({ min: 64, max: Number.MAX_SAFE_INTEGER }),
    poolSize: count,
    attributes: maybeAttributes,
    secret: bytes(32),
  }),
  record({ type: fc.constant('setAttributes'), id, attributes: maybeAttributes }),
  record({ type: fc.constant('close'), id, remove: fc.boolean() }),
  record({ type: fc.constantFrom('done', 'ping'), id }),
  record({ type: fc.constant('pong'), id, activeLanes: u32 }),
  record({
    type: fc.constant('failure'),
    id: count,
    code: fc.string({ maxLength: 64 }),
    message: fc.string({ unit: 'binary', maxLength: 256 }).map(printable),
    facts,
    hint: fc.string({ maxLength: 256 }),
    errno: fc.option(id, { nil: undefined }),
  }),
) as fc.Arbitrary<ControlMessage>

/** A frame in which some bytes are not what they were. */
export const damaged = (frame: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(frame, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }), fc.nat())
    .map(([source, changes, cut]) => {
      const target = source.slice(0, cut % 3 === 0 ? cut % (source.length + 1) : source.length)
      for (const [at, value] of changes) if (target.length > 0) target[at % target.length] = value
      return target
    })
