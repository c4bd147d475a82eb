import t from 'tap'
import { brief, immediate, type Operation, perform, together, type Work } from '../../lpsm/operation.js'
import { WorkQueue } from '../../lpsm/work-queue.js'

/** Ends when it is told to, or when somebody waits for it in place. */
function slow(name: string, said: string[], error?: Error) {
  let end = (): void => {}
  const over = new Promise<void>((resolve, reject) => {
    end = () => (error ? reject(error) : resolve())
  })
  over.catch(() => {})
  const finish = (how: string): void => {
    said.push(`${name} ${how}`)
    end()
    if (error) throw error
  }
  const operation: Operation = {
    run: () => finish('run'),
    start() {
      said.push(`${name} started`)
      return { done: over, join: () => finish('joined') }
    },
  }
  return { operation, end }
}

function* steps(said: string[], name: string, ...operations: readonly Operation[]): Work<string> {
  for (const operation of operations) yield operation
  said.push(`${name} ended`)
  return name
}

t.test('jobs are carried out in the order in which they came, one at a time', async t => {
  const said: string[] = []
  const queue = new WorkQueue()
  const [first, second] = [slow('1', said), slow('2', said)]
  const jobs = [queue.post(steps(said, 'a', first.operation)), queue.post(steps(said, 'b', second.operation))]
  t.same(said, ['1 started'])
  first.end()
  second.end()
  t.same(await Promise.all(jobs), ['a', 'b'])
  t.same(said, ['1 started', 'a ended', '2 started', 'b ended'])
  t.equal(queue.idle, true)
})

t.test('whoever blocks takes over what is under way and finishes what came before', async t => {
  const said: string[] = []
  const queue = new WorkQueue()
  const [one, two, three] = [slow('1', said), slow('2', said), slow('3', said)]
  const posted = queue.post(steps(said, 'a', one.operation, two.operation))
  t.equal(queue.perform(steps(said, 'b', three.operation)), 'b')
  t.same(said, ['1 started', '1 joined', '2 run', 'a ended', '3 run', 'b ended'])
  t.equal(await posted, 'a')
  t.equal(said.length, 6, 'nothing is done twice')
})

t.test('the error of an operation reaches its job and nobody else’s', async t => {
  const said: string[] = []
  const queue = new WorkQueue()
  const failing = () => slow('1', said, new Error('refused')).operation
  const posted = queue.post(steps(said, 'a', failing()))
  t.equal(queue.perform(steps(said, 'b')), 'b')
  await t.rejects(posted, { message: 'refused' })
  t.throws(() => queue.perform(steps(said, 'c', failing())), { message: 'refused' })
  t.throws(() => perform(steps(said, 'd', failing())), { message: 'refused' })
  function* persistent(): Work<string> {
    try {
      yield failing()
    } catch {
      yield immediate(() => said.push('again'))
    }
    return 'well'
  }
  t.equal(queue.perform(persistent()), 'well')
  const patient = queue.post(persistent())
  queue.drain()
  t.equal(await patient, 'well')
})

t.test('a nudge goes on with an operation that is brief, and with no other', async t => {
  const said: string[] = []
  const queue = new WorkQueue()
  const [one, two] = [slow('1', said), slow('2', said)]
  const posted = queue.post(steps(said, 'a', brief(one.operation), two.operation))
  queue.nudge()
  queue.nudge()
  t.same(said, ['1 started', '1 joined', '2 started'])
  queue.drain()
  t.equal(await posted, 'a')
})

t.test('a job of one queue can be an operation of another', async t => {
  const said: string[] = []
  const [outer, inner] = [new WorkQueue(), new WorkQueue()]
  function* job(): Work {
    yield slow('1', said).operation
  }
  t.equal(outer.perform(steps(said, 'a', inner.operation(job()))), 'a')
  const posted = outer.post(steps(said, 'b', inner.operation(job())))
  outer.drain()
  t.equal(await posted, 'b')
  t.same(said, ['1 run', 'a ended', '1 started', '1 joined', 'b ended'])
})

t.test('operations together are all begun, all ended, and fail with the first error in their order', async t => {
  const said: string[] = []
  const three = () => [slow('1', said, new Error('one')), slow('2', said, new Error('two')), slow('3', said)]
  const operations = three().map(({ operation }) => operation)
  t.throws(() => together(operations).run(), { message: 'one' })
  t.same(said, ['2 started', '3 started', '1 run', '2 joined', '3 joined'])
  const begun = three()
  const pending = together(begun.map(({ operation }) => operation)).start()
  for (const { end } of begun.toReversed()) end()
  await t.rejects(pending.done, { message: 'one' })
  together([]).run()
})
