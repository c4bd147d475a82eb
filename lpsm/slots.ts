import { type Layout, pageSize } from '../core/index.js'
import type { ArenaFile } from './arena-file.js'
import { checksum } from './checksum.js'

/**
 * A header that is replaced as one: two slots at the begin of the file, a page each, written in turn. One that is torn leaves
 * the other, which is older by one change. The last four bytes of a header are the CRC-32C of those before.
 */
export interface Changing {
  /** Counts from 1. */
  readonly change: number
}

/** Bytes at the begin of both files; what follows them begins here. */
export const slotsSize = 2 * pageSize

const checksumSize = 4

export const slotAt = ({ change }: Changing): number => (change % 2) * pageSize

/** The header with its checksum, at the begin of a sector. */
export function encodeSlot<T extends Changing>(layout: Layout<T>, value: T): Uint8Array {
  const slot = new Uint8Array(layout.size + checksumSize)
  slot.set(layout.encode(value))
  new DataView(slot.buffer).setUint32(layout.size, checksum(slot.subarray(0, layout.size)), true)
  return slot
}

/** What a slot holds, or the rule that it breaks. */
export type Slot<T> = { readonly value: T } | { readonly broken: string }

/** Both slots, the one with the later change first. */
export function readSlots<T extends Changing>(
  file: ArenaFile,
  layout: Layout<T>,
  judge: (value: T) => string | undefined,
): Slot<T>[] {
  const slots = [0, pageSize].map(at => readSlot(file, at, layout, judge))
  return slots.sort((one, other) => changeOf(other) - changeOf(one))
}

const changeOf = <T extends Changing>(slot: Slot<T>): number => ('value' in slot ? slot.value.change : -1)

function readSlot<T extends Changing>(
  file: ArenaFile,
  at: number,
  layout: Layout<T>,
  judge: (value: T) => string | undefined,
): Slot<T> {
  const bytes = new Uint8Array(layout.size + checksumSize)
  if (file.read(at, bytes) < bytes.length) return { broken: 'the file ends inside it' }
  const found = new DataView(bytes.buffer).getUint32(layout.size, true)
  if (found !== checksum(bytes.subarray(0, layout.size))) return { broken: 'its checksum is wrong' }
  // Behind the checksum nothing but numbers too large for a count can be in the way.
  try {
    const value = layout.decode(bytes)
    const broken = slotAt(value) === at ? judge(value) : 'it stands in the wrong place'
    return broken === undefined ? { value } : { broken }
  } catch (error) {
    return { broken: error instanceof Error ? error.message : String(error) }
  }
}
