import { promote } from '../pool/index.js'
import { loadPoolSet } from '../poolset/index.js'
import type { Io } from './io.js'

export interface PromoteFlags {
  readonly dryRun?: boolean
  readonly force?: boolean
  readonly json?: boolean
}

/** `rpmem promote SET`, on the node that keeps the copy: from now on this copy is the one that is written. */
export async function promotePool(
  file: string,
  { dryRun = false, force = false, json }: PromoteFlags,
  io: Io,
): Promise<void> {
  const { before, after } = await promote(await loadPoolSet(file), { dryRun, force, setFile: file })
  const { number, since, writer } = before.current
  if (json) io.out(`${JSON.stringify({ file, dryRun, before: before.current, after: after.current })}\n`)
  else {
    io.out(`this copy is of generation ${number}, written by ${writer} since ${since}\n`)
    const tense = dryRun ? 'would begin' : 'has begun'
    io.out(
      `generation ${after.current.number} ${tense} here; whoever wrote before is refused until it is in step with this copy\n`,
    )
  }
}
