import { describe, RpmemError } from '../core/index.js'

/**
 * Takes back what a failed attempt has made: every step is tried, one after the other.
 * @returns what is to be thrown: the error that the attempt ended with, whatever becomes of the steps; if one of them fails, its
 * message says so, since something is left then
 */
export async function takeBack(error: unknown, steps: readonly (() => Promise<unknown>)[]): Promise<unknown> {
  const failures: unknown[] = []
  for (const step of steps) await step().catch((failure: unknown) => failures.push(failure))
  return failures.length > 0 && error instanceof RpmemError ? withLeftOvers(error, failures) : error
}

function withLeftOvers(error: RpmemError, failures: readonly unknown[]): RpmemError {
  const { code, cause, facts, hint, durability, errno } = error
  const left = failures.map(failure => describe(failure).join(': '))
  return new RpmemError(code, `${error.message}; not all that was made could be taken back`, {
    ...{ cause, hint, facts: { ...facts, left } },
    ...(durability && { durability }),
    ...(errno !== undefined && { errno }),
  })
}
