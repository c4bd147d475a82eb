/**
 * What a pool says about itself in its part headers and over the wire: struct rpmem_pool_attr of librpmem(7), with the four
 * numbers of the feature flags as in the media format. UUIDs are raw, in the order of their bytes on the media.
 */
export interface PoolAttributes {
  /** 8 bytes, by custom ASCII padded with NUL. */
  readonly signature: Uint8Array
  readonly major: number
  readonly compat: number
  readonly incompat: number
  readonly roCompat: number
  /** 16 bytes each, as are the flags below. */
  readonly poolsetUuid: Uint8Array
  /** Of the first part of this replica. */
  readonly uuid: Uint8Array
  readonly nextUuid: Uint8Array
  readonly prevUuid: Uint8Array
  readonly userFlags: Uint8Array
}

export const signatureSize = 8
export const uuidSize = 16
export const userFlagsSize = 16

/** SINGLEHDR: only the first part of the replica has a header. A bit of `incompat`. */
export const incompatSingleHeader = 0x1

const numbers = ['major', 'compat', 'incompat', 'roCompat'] as const
const blocks = ['signature', 'poolsetUuid', 'uuid', 'nextUuid', 'prevUuid', 'userFlags'] as const

/** The block that stands for "no attributes" in PMDK's messages and in a pool without headers. A fresh value each time. */
export const zeroAttributes = (): PoolAttributes => ({
  signature: new Uint8Array(signatureSize),
  major: 0,
  compat: 0,
  incompat: 0,
  roCompat: 0,
  poolsetUuid: new Uint8Array(uuidSize),
  uuid: new Uint8Array(uuidSize),
  nextUuid: new Uint8Array(uuidSize),
  prevUuid: new Uint8Array(uuidSize),
  userFlags: new Uint8Array(userFlagsSize),
})

/** The first field that no header could hold: a block of another size, a number beyond 32 bits. */
export function malformedAttribute(attributes: PoolAttributes): keyof PoolAttributes | undefined {
  const right = zeroAttributes()
  const fits = (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 32
  return (
    blocks.find(name => attributes[name]?.length !== right[name].length) ??
    numbers.find(name => !fits(attributes[name]))
  )
}

/** True if every field is zero. */
export function attributesAreZero(attributes: PoolAttributes): boolean {
  return (
    numbers.every(name => attributes[name] === 0) && blocks.every(name => attributes[name].every(byte => byte === 0))
  )
}

export function attributesEqual(left: PoolAttributes, right: PoolAttributes): boolean {
  return numbers.every(name => left[name] === right[name]) && blocks.every(name => bytesEqual(left[name], right[name]))
}

function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}
