/** Records of the writer child: slot n of the pool holds the highest record r with r % slotCount = n, word by word. */
export const slotCount = 61
export const slotSize = 1000

const words = slotSize / 8

/** Every word of record `number` is its number, so that a torn word and a half record can be told. */
export function recordWords(number: number): Uint8Array {
  return new Uint8Array(new BigUint64Array(words).fill(BigInt(number)).buffer)
}

/** The numbers found in one slot. */
export function wordsOf(slot: Uint8Array): Set<number> {
  return new Set([...new BigUint64Array(slot.slice().buffer)].map(Number))
}
