/**
 * A broken assertion is a bug in rpmem and never a condition of the world outside: it stops the operation with a plain
 * Error that nobody is meant to catch.
 */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

export function assert(condition: unknown, rule: string): asserts condition {
  if (!condition) throw new AssertionError(`bug in rpmem: ${rule}`)
}

/** For the branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`bug in rpmem: unexpected ${String(value)}`)
}
