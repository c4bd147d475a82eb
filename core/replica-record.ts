import { crc32 } from 'node:zlib'
import { assert } from './assert.js'
import { RpmemError } from './error.js'
import { type Generation, generationReasons, type Lineage, maxAncestors } from './generation.js'
import { bytes, count64be, reserved, struct, u32be, type ValueOf } from './layout.js'

/** What a copy of a pool says of itself: beside the master, beside the pool set on a target, and on the wire. */
export interface ReplicaRecord {
  readonly lineage: Lineage
  /** Of a master: its last writer closed it well. Otherwise the copies may differ in what was never acknowledged. */
  readonly closed: boolean
  /** It is being brought up to date: its content is that of no one moment. */
  readonly syncing: boolean
  /** Somebody who knows nothing of generations has had it open since it was last in step. */
  readonly touched: boolean
}

const generationLayout = struct('generation', 72, {
  id: bytes(16),
  number: count64be,
  /** Milliseconds since the epoch. */
  since: count64be,
  why: u32be,
  unused: reserved(4),
  writer: bytes(32),
})

const headLayout = struct('replica record', 64, {
  magic: bytes(8),
  version: u32be,
  flags: u32be,
  pool: bytes(16),
  /** The current one and its ancestors. */
  generations: u32be,
  unused: reserved(28),
})

const checksumSize = 4
const checksumAt = headLayout.size + (1 + maxAncestors) * generationLayout.size

/** Bytes of a record, on media and on the wire. */
export const replicaRecordSize = checksumAt + checksumSize

const magic = new Uint8Array(Buffer.from('RPMEMREC'))
const version = 1
const flagBits = { closed: 1, syncing: 2, touched: 4 } as const

/** Numbers are big-endian; the last four bytes are the CRC-32 of all before them. */
export function encodeReplicaRecord({ lineage, closed, syncing, touched }: ReplicaRecord): Uint8Array {
  const generations = [lineage.current, ...lineage.ancestors]
  assert(generations.length <= 1 + maxAncestors, 'a lineage is no longer than its record')
  const target = new Uint8Array(replicaRecordSize)
  const flags = (closed ? flagBits.closed : 0) | (syncing ? flagBits.syncing : 0) | (touched ? flagBits.touched : 0)
  const pool = fromHex(lineage.pool)
  target.set(headLayout.encode({ magic, version, flags, pool, generations: generations.length }))
  for (const [index, generation] of generations.entries()) {
    target.set(encodeGeneration(generation), headLayout.size + index * generationLayout.size)
  }
  new DataView(target.buffer).setUint32(checksumAt, crc32(target.subarray(0, checksumAt)))
  return target
}

/** ERR_RECORD for bytes that are no record, damaged, or of a newer version. */
export function decodeReplicaRecord(source: Uint8Array): ReplicaRecord {
  if (source.length !== replicaRecordSize) throw damaged(`it has ${source.length} bytes`)
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength)
  if (view.getUint32(checksumAt) !== crc32(source.subarray(0, checksumAt))) throw damaged('the checksum is wrong')
  const head = headLayout.decode(source)
  if (!Buffer.from(magic).equals(head.magic)) throw damaged('it begins with something else')
  if (head.version !== version) throw damaged(`it is of version ${head.version}`)
  const { generations: count, flags } = head
  if (count < 1 || count > 1 + maxAncestors) throw damaged(`it names ${count} generations`)
  const [current, ...ancestors] = Array.from({ length: count }, (_, index) => decodeGeneration(source, index))
  assert(current, 'there is at least one generation')
  return {
    lineage: { pool: toHex(head.pool), current, ancestors },
    closed: (flags & flagBits.closed) !== 0,
    syncing: (flags & flagBits.syncing) !== 0,
    touched: (flags & flagBits.touched) !== 0,
  }
}

function encodeGeneration({ id, number, since, why, writer }: Generation): Uint8Array {
  const name = new Uint8Array(32)
  new TextEncoder().encodeInto(writer, name)
  return generationLayout.encode({
    id: fromHex(id),
    number,
    since: Date.parse(since),
    why: generationReasons.indexOf(why),
    writer: name,
  })
}

function decodeGeneration(source: Uint8Array, index: number): Generation {
  const fields: ValueOf<typeof generationLayout> = generationLayout.decode(
    source,
    headLayout.size + index * generationLayout.size,
  )
  const why = generationReasons[fields.why]
  if (why === undefined) throw damaged(`a generation began for reason ${fields.why}`)
  if (fields.since > maxTimeMs) throw damaged('a generation began at no possible time')
  return {
    id: toHex(fields.id),
    number: fields.number,
    since: new Date(fields.since).toISOString(),
    why,
    writer: new TextDecoder().decode(fields.writer).replace(/\0.*$/s, ''),
  }
}

/** The last moment that a Date can hold. */
const maxTimeMs = 8.64e15

const damaged = (why: string): RpmemError =>
  new RpmemError('ERR_RECORD', `the record of a replica cannot be read: ${why}`, { facts: { why } })

const toHex = (id: Uint8Array): string => Buffer.from(id).toString('hex')
const fromHex = (id: string): Uint8Array => new Uint8Array(Buffer.from(id, 'hex'))
