import { assert } from '../core/index.js'
import type { Operation, Pending, Work } from './operation.js'

interface Task {
  readonly work: Work<unknown>
  readonly settle: (outcome: Outcome) => void
  pending: Pending | undefined
  settled: boolean
}

type Outcome = { readonly value: unknown } | { readonly error: unknown }

/**
 * Jobs one after the other, in the order in which they came. A job goes on by itself, off the event loop; whoever must not
 * return to the event loop takes over and carries out what is left, so that both forms can be mixed.
 */
export class WorkQueue {
  readonly #tasks: Task[] = []
  #stepping = false
  /** Somebody carries the first task out without the event loop. */
  #blocking = false

  get idle(): boolean {
    return this.#tasks.length === 0
  }

  /** Starts the work at once if nothing is before it. */
  post<Result>(work: Work<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#add(work, outcome => ('error' in outcome ? reject(outcome.error) : resolve(outcome.value as Result)))
      this.#begin()
    })
  }

  /** Blocks until everything that came before, and then this work, has been carried out. */
  perform<Result>(work: Work<Result>): Result {
    let found: Outcome | undefined
    const task = this.#add(work, outcome => {
      found = outcome
    })
    this.#finish(task)
    assert(found !== undefined, 'a settled task has an outcome')
    if ('error' in found) throw found.error
    return found.value as Result
  }

  /** The same as one operation of another job, in another queue. */
  operation(work: Work): Operation {
    return { run: () => this.perform(work), start: () => this.#pending(work) }
  }

  /** Blocks until nothing is left. */
  drain(): void {
    for (let last = this.#tasks.at(-1); last; last = this.#tasks.at(-1)) this.#finish(last)
  }

  /** For a program that does not return to the event loop: goes on with the first job if that takes no long wait. */
  nudge(): void {
    const [task] = this.#tasks
    if (this.#stepping || this.#blocking || !task?.pending?.brief) return
    this.#watch(task, this.#takeOver(task))
  }

  #pending(work: Work): Pending {
    const { promise: done, resolve, reject } = withResolvers()
    done.catch(() => {})
    let found: Outcome | undefined
    const task = this.#add(work, outcome => {
      found = outcome
      if ('error' in outcome) reject(outcome.error)
      else resolve()
    })
    this.#begin()
    const join = (): void => {
      this.#finish(task)
      if (found !== undefined && 'error' in found) throw found.error
    }
    return { done, join }
  }

  #add(work: Work<unknown>, settle: (outcome: Outcome) => void): Task {
    const task: Task = { work, settle, pending: undefined, settled: false }
    this.#tasks.push(task)
    return task
  }

  #begin(): void {
    const [task] = this.#tasks
    if (this.#stepping || this.#blocking || task === undefined || task.pending) return
    this.#watch(
      task,
      this.#step(task, () => task.work.next()),
    )
  }

  #watch(task: Task, operation: Operation | undefined): void {
    if (operation === undefined) {
      this.#begin()
      return
    }
    const pending = this.#start(operation)
    task.pending = pending
    pending.done.then(
      () => this.#resume(task, pending, () => task.work.next()),
      error => this.#resume(task, pending, () => task.work.throw(error)),
    )
  }

  #start(operation: Operation): Pending {
    try {
      return operation.start()
    } catch (error) {
      const done = Promise.reject(error)
      done.catch(() => {})
      return { done, join: () => fail(error) }
    }
  }

  /** Unless somebody has taken over meanwhile. */
  #resume(task: Task, pending: Pending, step: () => IteratorResult<Operation, unknown>): void {
    if (task.pending !== pending || task.settled) return
    task.pending = undefined
    this.#watch(task, this.#step(task, step))
  }

  #finish(last: Task): void {
    assert(!this.#stepping && !this.#blocking, 'no job carries out its own queue')
    this.#blocking = true
    while (!last.settled) {
      const [task] = this.#tasks
      assert(task !== undefined, 'a task that is not settled is queued')
      let operation = this.#takeOver(task)
      while (operation) operation = this.#stepBlocking(task, operation)
    }
    this.#blocking = false
    this.#begin()
  }

  #takeOver(task: Task): Operation | undefined {
    const { pending } = task
    if (pending === undefined) return this.#step(task, () => task.work.next())
    task.pending = undefined
    return this.#stepBlocking(task, { run: () => pending.join(), start: () => pending })
  }

  #stepBlocking(task: Task, operation: Operation): Operation | undefined {
    try {
      operation.run()
    } catch (error) {
      return this.#step(task, () => task.work.throw(error))
    }
    return this.#step(task, () => task.work.next())
  }

  /** The next operation, or undefined if the task has come to its end and is out of the queue. */
  #step(task: Task, step: () => IteratorResult<Operation, unknown>): Operation | undefined {
    this.#stepping = true
    let outcome: Outcome
    try {
      const turn = step()
      if (!turn.done) return turn.value
      outcome = { value: turn.value }
    } catch (error) {
      outcome = { error }
    } finally {
      this.#stepping = false
    }
    assert(this.#tasks.shift() === task, 'the first task is the one that ends')
    task.settled = true
    task.settle(outcome)
    return undefined
  }
}

function fail(error: unknown): never {
  throw error
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
