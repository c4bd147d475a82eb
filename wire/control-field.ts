import { type Fact, type PoolAttributes, signatureSize, userFlagsSize, uuidSize } from '../core/index.js'
import { ceiling, type Field, hex, integer, isObject, type Json, list, oneOf, record, text } from './json-field.js'
import { violation } from './violation.js'

/** Fields of the control messages that have a shape of their own. */

const u32 = integer(0, 2 ** 32 - 1)

export const attributes: Field<PoolAttributes> = record({
  signature: hex(signatureSize),
  major: u32,
  compat: u32,
  incompat: u32,
  roCompat: u32,
  poolsetUuid: hex(uuidSize),
  uuid: hex(uuidSize),
  nextUuid: hex(uuidSize),
  prevUuid: hex(uuidSize),
  userFlags: hex(userFlagsSize),
})

/** Lowest and highest version of the dialect that an end speaks. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

const version = integer(1)

export const versions: Field<VersionRange> = {
  read(json, where) {
    const [min, max, ...more] = list(version, 2).read(json, where)
    if (min !== undefined && max !== undefined && min <= max && more.length === 0) return { min, max }
    throw violation(where.message, `${where.field} is a range [min, max]`, { field: where.field })
  },
  write: range => [version.write(range.min), version.write(range.max)],
}

const providers = ['verbs', 'tcp', 'sockets'] as const

const offer = record({
  provider: oneOf(...providers),
  fabricName: text(64),
  protocol: u32,
  protocolVersion: u32,
  maxLanes: ceiling,
  maxMessageSize: ceiling,
})

/** What the target knows of a provider; the shape is that of fabric-native's ProviderReport. */
export type ReportedOffer = ReturnType<typeof offer.read>
export type Report =
  | { readonly provider: ReportedOffer['provider']; readonly offer: ReportedOffer }
  | { readonly provider: ReportedOffer['provider']; readonly offer?: undefined; readonly reason: string }

const provider = oneOf(...providers)
const reason = text(1024)
const maxReports = 16

const report: Field<Report> = {
  read(json, where) {
    const { provider: name } = record({ provider }).read(json, where)
    if (isObject(json) && Object.hasOwn(json, 'offer')) {
      return { provider: name, offer: record({ offer }).read(json, where).offer }
    }
    return { provider: name, reason: record({ reason }).read(json, where).reason }
  },
  write: value =>
    value.offer === undefined
      ? { provider: value.provider, reason: reason.write(value.reason.slice(0, 1024)) }
      : { provider: value.provider, offer: offer.write(value.offer) },
}

/** Reports on providers that this version does not know are left out: no lane could use them. */
export const offers: Field<readonly Report[]> = {
  read(json, where) {
    const known = (entry: unknown) =>
      !isObject(entry) || typeof entry.provider !== 'string' || providers.some(name => name === entry.provider)
    return list(report, maxReports).read(Array.isArray(json) ? json.filter(known) : json, where)
  },
  write: value => list(report, maxReports).write(value),
}

export type RemoteFacts = Readonly<Record<string, Exclude<Fact, bigint | undefined>>>

const maxFacts = 64
const maxFactList = 64

/** Facts of an error as they survive JSON. Of those that a newer peer writes in another form the text is kept. */
export const facts: Field<RemoteFacts> = {
  read(json, where) {
    if (!isObject(json)) throw violation(where.message, `${where.field} is an object`, { field: where.field })
    const entries = Object.entries(json).slice(0, maxFacts)
    return Object.fromEntries(entries.map(([key, value]) => [key.slice(0, 64), fact(value)]))
  },
  write: value => value as Readonly<Record<string, Json>>,
}

function fact(value: unknown): Exclude<Fact, bigint | undefined> {
  if (typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value === 'string') return value.slice(0, 1024)
  if (Array.isArray(value)) return value.slice(0, maxFactList).map(scalar)
  return (JSON.stringify(value) ?? '').slice(0, 1024)
}

const scalar = (value: unknown): string | number =>
  typeof value === 'number' ? value : (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).slice(0, 1024)
