import {
  decodeReplicaRecord,
  encodeReplicaRecord,
  type Fact,
  type PoolAttributes,
  printable,
  type ReplicaRecord,
  replicaRecordSize,
  signatureSize,
  userFlagsSize,
  uuidSize,
} from '../core/index.js'
import { ceiling, type Field, hex, integer, isObject, list, oneOf, prose, record, text } from './json-field.js'
import { checkPoolSetName, maxPoolSetNameSize, poolSetNameRule } from './pool-set-name.js'
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

const name = text(maxPoolSetNameSize)

export const poolSet: Field<string> = {
  read(json, where) {
    const value = name.read(json, where)
    const rule = poolSetNameRule(value)
    if (rule !== undefined) throw violation(where.message, rule, { field: where.field })
    return value
  },
  write(value) {
    checkPoolSetName(value)
    return value
  },
}

const recordBytes = hex(replicaRecordSize)

/** A replica record in the bytes that it has on the media. */
export const replicaRecord: Field<ReplicaRecord> = {
  read(json, where) {
    const bytes = recordBytes.read(json, where)
    try {
      return decodeReplicaRecord(bytes)
    } catch {
      throw violation(where.message, `${where.field} is a sound replica record`, { field: where.field })
    }
  },
  write: value => recordBytes.write(encodeReplicaRecord(value)),
}

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
  fabricName: prose(64),
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
const reason = prose(1024)
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

/** A fact as it survives JSON. */
export type RemoteFact = Exclude<Fact, bigint | undefined>
export type RemoteFacts = Readonly<Record<string, RemoteFact>>

const maxFacts = 64
const maxFactKey = 64
const maxFactText = 1024

/** Facts of another form, which only a newer peer writes, are left out. */
export const facts: Field<RemoteFacts> = {
  read(json, where) {
    if (!isObject(json)) throw violation(where.message, `${where.field} is an object`, { field: where.field })
    return printableFacts(limitFacts(json))
  },
  write: limitFacts,
}

const printableFacts = (all: RemoteFacts): RemoteFacts =>
  Object.fromEntries(Object.entries(all).map(([key, value]) => [printable(key), printableFact(value)]))

function printableFact(value: RemoteFact): RemoteFact {
  if (typeof value === 'string') return printable(value)
  return typeof value === 'object' ? value.map(entry => (typeof entry === 'string' ? printable(entry) : entry)) : value
}

/** Cut to 64 facts of 1024 characters; what JSON cannot hold becomes text. */
export function limitFacts(all: Readonly<Record<string, unknown>>): RemoteFacts {
  const kept: [string, RemoteFact][] = []
  for (const [key, value] of Object.entries(all)) {
    const limited = Array.isArray(value) ? value.slice(0, maxFacts).map(limitFact) : limitFact(value)
    const known = Array.isArray(limited) ? limited.every(isScalar) : limited !== undefined
    if (known && kept.length < maxFacts) kept.push([key.slice(0, maxFactKey), limited as RemoteFact])
  }
  return Object.fromEntries(kept)
}

const isScalar = (value: unknown): boolean => typeof value === 'number' || typeof value === 'string'

function limitFact(value: unknown): string | number | boolean | undefined {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'string') return value.slice(0, maxFactText)
  return typeof value === 'boolean' ? value : undefined
}
