import { struct, u32le, u64le } from '../core/index.js'
import { violation } from './violation.js'

/**
 * In-band messages of PMDK 1.12 (rpmem_fip_msg.h): little-endian, naturally aligned. At most one persist message is
 * outstanding per lane; its data, if any, follows it at once.
 */
export const persistMessage = struct('persist message', 24, {
  flags: u32le,
  lane: u32le,
  /** Absolute: raddr + offset. */
  address: u64le,
  size: u64le,
})

/** `flags` is uninitialised in PMDK's answers; the lane is echoed. */
export const persistResponse = struct('persist response', 8, { flags: u32le, lane: u32le })

/** In the low two bits of the flags. */
export const persistModes = { flush: 0, deep: 1, inline: 2 } as const
export type PersistMode = keyof typeof persistModes

/** PMDK leaks an internal flag into bit 2, so the rest of the flags means nothing. */
export const persistModeMask = 0x3

export interface PmdkPersist {
  readonly mode: PersistMode
  readonly lane: number
  readonly address: bigint
  /** Bytes to make durable; those of `data` where the mode is inline. */
  readonly size: number
  readonly data?: Uint8Array
}

/** Mode 3 is treated as `flush`, as PMDK's target does. */
export function persistModeOf(flags: number): PersistMode {
  const mode = flags & persistModeMask
  if (mode === persistModes.deep) return 'deep'
  return mode === persistModes.inline ? 'inline' : 'flush'
}

export function encodePmdkPersist(message: PmdkPersist): Uint8Array {
  const { mode, lane, address, size, data } = message
  const head = persistMessage.encode({ flags: persistModes[mode], lane, address, size: BigInt(size) })
  return data === undefined ? head : new Uint8Array(Buffer.concat([head, data]))
}

/** What the fabric delivered as one receive. PMDK's target trusts `size`; here it must agree with what arrived. */
export function decodePmdkPersist(source: Uint8Array, inlineSize: number): PmdkPersist {
  const broken = (rule: string, size: bigint | number) =>
    violation('persist message', rule, { received: source.length, size })
  if (source.length < persistMessage.size) throw broken('the header takes 24 bytes', 0)
  const { flags, lane, address, size } = persistMessage.decode(source)
  const mode = persistModeOf(flags)
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw broken('the size is less than 2^53', size)
  const head = { mode, lane, address, size: Number(size) }
  if (mode !== 'inline') return head
  if (size > inlineSize) throw broken('inline data fits the buffer that was agreed', size)
  if (source.length - persistMessage.size !== head.size) throw broken('inline data is as long as it says', size)
  return { ...head, data: source.slice(persistMessage.size) }
}
