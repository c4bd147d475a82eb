import { count64be, KiB, struct, u32be } from '../core/index.js'
import { attributes, facts, offers, poolSet, replicaRecord, versions } from './control-field.js'
import {
  type FieldValues,
  flag,
  hex,
  hexUpTo,
  integer,
  list,
  nullable,
  oneOf,
  optional,
  prose,
  record,
  text,
  word64,
} from './json-field.js'
import { laneSecretSize } from './lane-token.js'

/** As PMDK's request header; `size` counts the whole frame. */
export const controlHeader = struct('control header', 12, { type: u32be, size: count64be })
export const maxControlSize = 64 * KiB

const id = integer(1)
const u32 = integer(0, 2 ** 32 - 1)
const capability = text(64)
const capabilities = list(capability, 64)

const request = {
  id,
  poolSet,
  size: integer(0),
  lanes: u32,
  provider: text(32),
  inlineSize: integer(0),
  /** What the initiator's copy has been through; without it the initiator knows nothing of generations. */
  claim: optional(replicaRecord),
}

/** 2048 checksums of 16 bytes. */
export const maxSumsSize = 32 * KiB
/** Inline data of a message is cut into pieces of whole words, and of no fewer bytes. */
const minInlineSize = 64

/**
 * The messages of the rpmem dialect (docs/protocol.md), each by its fields. A field that is `nullable` is null on the wire
 * and undefined here.
 */
export const controlTable = {
  /** From the target, as first frame. Every version keeps it readable for every other. */
  hello: { value: 0x1001, fields: { versions, software: prose(256), capabilities, offers } },
  accept: { value: 0x1002, fields: { version: integer(1), capabilities } },
  create: { value: 0x1003, fields: { ...request, attributes: nullable(attributes) } },
  open: { value: 0x1004, fields: request },
  ready: {
    value: 0x1005,
    fields: {
      id,
      address: prose(256),
      port: integer(1, 65535),
      method: oneOf('GPSPM', 'APM'),
      durability: oneOf('dax', 'msync', 'volatile'),
      rkey: word64,
      raddr: word64,
      lanes: integer(1, 2 ** 32 - 1),
      inlineSize: integer(minInlineSize),
      poolSize: integer(0),
      attributes: nullable(attributes),
      secret: hex(laneSecretSize),
      /** Of the target's copy, as it was before this session. */
      record: optional(replicaRecord),
    },
  },
  setAttributes: { value: 0x1006, fields: { id, attributes: nullable(attributes) } },
  close: { value: 0x1007, fields: { id, remove: flag } },
  done: { value: 0x1008, fields: { id } },
  ping: { value: 0x1009, fields: { id } },
  pong: { value: 0x100a, fields: { id, activeLanes: u32 } },
  /** The target's copy is this from now on. */
  adopt: { value: 0x100c, fields: { id, record: replicaRecord } },
  /** Asks for the checksums of consecutive blocks of the pool. */
  sums: { value: 0x100d, fields: { id, offset: integer(0), length: integer(1), blockSize: integer(4 * KiB) } },
  blockSums: { value: 0x100e, fields: { id, sums: hexUpTo(maxSumsSize) } },
  /** Replaces any answer; with id 0 it replaces `hello`. `errno` is positive. */
  failure: {
    value: 0x100b,
    fields: {
      id: integer(0),
      code: prose(64),
      message: prose(4096),
      facts,
      hint: prose(4096),
      errno: nullable(integer(1)),
    },
  },
} as const

type Table = typeof controlTable
export type ControlType = keyof Table
export type ControlMessage<T extends ControlType = ControlType> = {
  [K in T]: { readonly type: K } & FieldValues<Table[K]['fields']>
}[T]

/** The rule that a frame header breaks, or undefined. */
export function controlHeaderRule(value: number, size: number): string | undefined {
  if (controlTypeOf(value) === undefined) return 'the message type is unknown'
  return size >= controlHeader.size && size <= maxControlSize
    ? undefined
    : `the size lies between ${controlHeader.size} and ${maxControlSize}`
}

const types = Object.keys(controlTable) as readonly ControlType[]
export const controlTypeOf = (value: number): ControlType | undefined =>
  types.find(type => controlTable[type].value === value)

export const controlField = (type: ControlType) => record(controlTable[type].fields)
