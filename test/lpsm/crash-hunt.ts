import type { Random } from '../../core/index.js'
import { type DiskState, enumerateCrashes, type Moment } from './crash-states.js'
import { judge, type Verdict } from './crash-verdict.js'
import type { FileName } from './journal.js'
import { type Recording, recordRecovery } from './workload.js'

export interface Hunt {
  /** States that a crash can leave, at all moments. */
  states: number
  /** Different contents among them; each was opened. */
  opened: number
  /** States from which a recovery was recorded, and crashed in its turn. */
  recoveries: number
  /** The first ten that break the promise. */
  readonly failures: string[]
}

export interface HuntOptions {
  readonly random: Random
  /** Random subsets of sectors in each window. */
  readonly samples: number
  /** Only what comes after a call that failed. */
  readonly afterFailure?: boolean
  /** How many recoveries may crash one after the other; default 0. */
  readonly depth?: number
}

/** Of so many different states, one is recovered under observation. */
const stride = 97

/** Opens what a crash at any moment of a recording can leave. */
export function hunt({ journal, initial, contents }: Recording, options: HuntOptions): Hunt {
  const result: Hunt = { states: 0, opened: 0, recoveries: 0, failures: [] }
  const known = new Map<number, Verdict>()
  const visit = (state: DiskState, moment: Moment): void => {
    result.states++
    let verdict = known.get(state.key)
    if (verdict === undefined) {
      const files = { data: state.bytes('data'), log: state.bytes('log') }
      verdict = judge(files, contents)
      known.set(state.key, verdict)
      if (result.opened++ % stride === 0 && 'sequence' in verdict)
        recoverAgain(files, verdict.sequence, contents, options, result)
    }
    const broken = brokenPromise(verdict, moment)
    if (broken !== undefined && result.failures.length < 10) result.failures.push(broken)
  }
  enumerateCrashes(journal.events, initial, { ...options, visit })
  return result
}

/** Whatever becomes of a recovery, the arena is at the same checkpoint. */
function recoverAgain(
  files: Record<FileName, Uint8Array>,
  sequence: number,
  contents: readonly Uint8Array[],
  options: HuntOptions,
  sum: Hunt,
): void {
  const { depth = 0 } = options
  if (depth === 0) return
  const recording = recordRecovery(files, sequence, contents)
  const found = hunt(recording, { ...options, depth: depth - 1 })
  sum.recoveries += 1 + found.recoveries
  sum.states += found.states
  sum.opened += found.opened
  sum.failures.push(...found.failures.map(failure => `in a recovery: ${failure}`))
}

function brokenPromise(verdict: Verdict, { declared, promised }: Moment): string | undefined {
  if ('wrong' in verdict) return verdict.wrong
  if (verdict.sequence >= promised && verdict.sequence <= declared) return undefined
  return `it is at checkpoint ${verdict.sequence}, but ${promised} was promised and ${declared} is the newest`
}
