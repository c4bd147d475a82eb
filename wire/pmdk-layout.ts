import {
  bytes,
  count64be,
  i32le,
  type PoolAttributes,
  signatureSize,
  struct,
  u16be,
  u32be,
  u32le,
  u64be,
  userFlagsSize,
  uuidSize,
} from '../core/index.js'

/**
 * The blocks of which PMDK's control messages are made (rpmem_proto.h of PMDK 1.12): big-endian and without padding, except
 * three fields that PMDK never swaps and that are therefore little-endian on every machine it runs on.
 */

/** The daemon's first word: 0 or an errno. Little-endian. */
export const statusWord = struct('status word', 4, { value: i32le })

/** `size` counts the whole message, this header included; the framer has already held it against its limits. */
export const requestHeader = struct('request header', 12, { type: u32be, size: count64be })
export const responseHeader = struct('response header', 16, { status: u32be, type: u32be, size: count64be })

export const commonBlock = struct('common block', 28, {
  major: u16be,
  minor: u16be,
  poolSize: count64be,
  lanes: u32be,
  provider: u32be,
  bufferSize: count64be,
})

export const attributeBlock = struct('attribute block', 104, {
  signature: bytes(signatureSize),
  major: u32be,
  compat: u32be,
  incompat: u32be,
  roCompat: u32be,
  poolsetUuid: bytes(uuidSize),
  uuid: bytes(uuidSize),
  nextUuid: bytes(uuidSize),
  prevUuid: bytes(uuidSize),
  userFlags: bytes(userFlagsSize),
}) satisfies { decode(source: Uint8Array): PoolAttributes }

export const inBandBlock = struct('in-band block', 28, {
  port: u32be,
  method: u32be,
  rkey: u64be,
  raddr: u64be,
  /** Little-endian: PMDK forgets it in the swap, on both sides. */
  lanes: u32le,
})

/** Size of the pool set name that follows, its terminating NUL included. */
export const nameLength = struct('name length', 4, { value: u32be })

/** Little-endian: PMDK swaps only the header of the close request. */
export const closeFlags = struct('close flags', 4, { value: u32le })

export const pmdkVersion = { major: 0, minor: 1 } as const
export const closeFlagRemove = 1
/** What librpmem always offers as capacity for inline data. */
export const pmdkBufferSize = 8192

export const pmdkProviders = { verbs: 1, sockets: 2 } as const
export type PmdkProvider = keyof typeof pmdkProviders

export const pmdkMethods = { GPSPM: 1, APM: 2 } as const
export type PmdkMethod = keyof typeof pmdkMethods

/** The name under which a table holds a number of the wire, or undefined for a number of no meaning. */
export function nameOf<T extends string>(table: Readonly<Record<T, number>>, value: number): T | undefined {
  return (Object.keys(table) as T[]).find(name => table[name] === value)
}
