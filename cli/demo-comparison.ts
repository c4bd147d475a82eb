export interface Comparison {
  /** Records found equal, byte by byte, from the first on. */
  readonly equal: number
  readonly bytes: number
  /** What is wrong, if anything is. */
  readonly difference: string | undefined
}

/**
 * Every record that was confirmed must be there, in order, with the same bytes. Behind them `maybe` may follow: its persist
 * failed, so that the replica may have it or not. Anything else is a difference.
 */
export function compareRecords(
  expected: readonly Uint8Array[],
  found: Iterable<Uint8Array>,
  maybe: Uint8Array,
): Comparison {
  let [equal, bytes] = [0, 0]
  const result = (difference?: string): Comparison => ({ equal, bytes, difference })
  for (const record of found) {
    const wanted = expected[equal]
    if (wanted === undefined) return result(same(record, maybe) ? undefined : 'there is a record that nobody wrote')
    if (!same(record, wanted)) return result(`record ${equal} differs from the input`)
    equal++
    bytes += record.length
  }
  return result(equal < expected.length ? `record ${equal} and later ones are missing` : undefined)
}

const same = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0
