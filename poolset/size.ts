const factors = new Map<string, bigint>([
  ['', 1n],
  ['B', 1n],
])
for (const [index, letter] of [...'KMGTP'].entries()) {
  const binary = 1024n ** BigInt(index + 1)
  factors.set(letter, binary).set(`${letter}iB`, binary)
  factors.set(letter === 'K' ? 'kB' : `${letter}B`, 1000n ** BigInt(index + 1))
}

/** Suffix → factor, in the order of the table of poolset(5). */
export const sizeSuffixes: ReadonlyMap<string, bigint> = factors

const limit = 2n ** 64n
const grammar = /^([+-]?)([0-9]+)([A-Za-z]*)$/

/**
 * Bytes of a size such as `8M`, or undefined if it is none. Exactly PMDK's arithmetic: digits saturate at 2^64 - 1, a sign
 * is taken modulo 2^64, and so is the product; zero is no size.
 */
export function parseSize(text: string): number | bigint | undefined {
  const match = grammar.exec(text)
  const factor = factors.get(match?.[3] ?? '')
  if (match === null || factor === undefined) return undefined
  const bytes = (strtoull(match[1] === '-', match[2] ?? '') * factor) % limit
  return bytes === 0n ? undefined : narrow(bytes)
}

function strtoull(negative: boolean, digits: string): bigint {
  const significant = digits.replace(/^0+/, '')
  // Twenty digits hold 2^64; longer ones need no arithmetic, whose cost a hostile file could choose.
  const value = significant.length > 20 ? limit : BigInt(significant || '0')
  if (value >= limit) return limit - 1n
  return negative ? (limit - value) % limit : value
}

/** A number where it is exact. */
export const narrow = (bytes: bigint): number | bigint =>
  bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : bytes
