/** Something that was begun elsewhere. */
export interface Pending {
  /** Rejects with the error of the operation. */
  readonly done: Promise<void>
  /** Blocks until it has ended, and throws its error. */
  join(): void
  /** Waiting for it takes no longer than a checkpoint does. */
  readonly brief?: boolean
}

/**
 * One call to the storage that has not been made yet: whoever carries it out decides whether to wait in it (`run`) or off the
 * event loop (`start`). It is made once.
 */
export interface Operation {
  run(): void
  start(): Pending
}

/** The steps of a job in their order, whichever way they are carried out; the error of a step is thrown into it. */
export type Work<Result = void> = Generator<Operation, Result, void>

/** Carries the work out without returning to the event loop. */
export function perform<Result>(work: Work<Result>): Result {
  let turn = work.next()
  while (!turn.done) turn = attempt(work, turn.value)
  return turn.value
}

function attempt<Result>(work: Work<Result>, operation: Operation): IteratorResult<Operation, Result> {
  try {
    operation.run()
  } catch (error) {
    return work.throw(error)
  }
  return work.next()
}

/** The same, for an operation that a program which does not return to the event loop may wait for. */
export const brief = (operation: Operation): Operation => ({
  run: () => operation.run(),
  start: () => ({ ...operation.start(), brief: true }),
})

/** An operation that is over as soon as it was begun. */
export const immediate = (run: () => void): Operation => ({
  run,
  start() {
    run()
    return ended
  },
})

const ended: Pending = { done: Promise.resolve(), join: () => {} }

/** All of them at once; ends when the last has ended, with the first error in their order. */
export const together = (operations: readonly Operation[]): Operation => {
  const [first, ...others] = operations
  if (first === undefined) return immediate(() => {})
  if (others.length === 0) return first
  return {
    // Whatever else there is runs while this thread carries out the first.
    run() {
      const begun = others.map(operation => operation.start())
      joinAll([{ join: () => first.run() }, ...begun])
    },
    start() {
      const begun = operations.map(operation => operation.start())
      return { done: allEnded(begun), join: () => joinAll(begun) }
    },
  }
}

function joinAll(begun: readonly Pick<Pending, 'join'>[]): void {
  const errors: unknown[] = []
  for (const { join } of begun) {
    try {
      join()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

async function allEnded(begun: readonly Pending[]): Promise<void> {
  const outcomes = await Promise.allSettled(begun.map(({ done }) => done))
  const failed = outcomes.find(outcome => outcome.status === 'rejected')
  if (failed) throw failed.reason
}
