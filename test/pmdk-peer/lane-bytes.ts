import type { Fields } from './control-bytes.js'
import { get, getNumber, put } from './control-bytes.js'

/** What travels on PMDK's lanes, in the order of bytes of the processor (little-endian), as control-bytes.ts a second time. */

export const persistFields = {
  flags: { at: 0, size: 4, order: 'little', meaning: 'choice', choices: [0, 1, 2] },
  lane: { at: 4, size: 4, order: 'little', meaning: 'number' },
  address: { at: 8, size: 8, order: 'little', meaning: 'number' },
  size: { at: 16, size: 8, order: 'little', meaning: 'size' },
} as const satisfies Fields

const headSize = 24
export const modes = { flush: 0, deep: 1, inline: 2 } as const
/** An internal flag of librpmem that gets into its messages when the send queue fills. */
export const leakedFlag = 4
/** Room for one message: its head and the inline data, in units of 64. */
export const messageRoom = (inlineSize: number): number => Math.ceil((headSize + inlineSize) / 64) * 64

export interface Persist {
  readonly flags: number
  readonly lane: number
  readonly address: bigint
  readonly size: number
  readonly data?: Uint8Array
}

export function persistMessage({ flags, lane, address, size, data = new Uint8Array() }: Persist): Uint8Array {
  const bytes = new Uint8Array(headSize + data.length)
  put(bytes, persistFields.flags, flags)
  put(bytes, persistFields.lane, lane)
  put(bytes, persistFields.address, address)
  put(bytes, persistFields.size, size)
  bytes.set(data, headSize)
  return bytes
}

export const readPersist = (bytes: Uint8Array): Persist => ({
  flags: getNumber(bytes, persistFields.flags),
  lane: getNumber(bytes, persistFields.lane),
  address: get(bytes, persistFields.address),
  size: getNumber(bytes, persistFields.size),
  data: bytes.slice(headSize),
})

/** rpmemd leaves the flags uninitialised and echoes the lane. */
export function persistAnswer(lane: number, garbage = 0xdead_beef): Uint8Array {
  const bytes = new Uint8Array(8)
  put(bytes, persistFields.flags, garbage)
  put(bytes, persistFields.lane, lane)
  return bytes
}
