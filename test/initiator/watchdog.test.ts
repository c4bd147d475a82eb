import t from 'tap'
import { Watchdog } from '../../initiator/watchdog.js'
import { ManualClock } from './manual-clock.js'

function watch(ping: () => Promise<void>) {
  const clock = new ManualClock()
  const silences: number[] = []
  const watchdog = new Watchdog({ clock, ping, intervalMs: 500, rounds: 4, onSilent: ms => silences.push(ms) })
  return { clock, silences, watchdog }
}

t.test('a target that answers is asked for ever', async t => {
  let pings = 0
  const { clock, silences } = watch(async () => {
    pings++
  })
  await clock.advance(60_000)
  t.equal(pings, 120)
  t.same(silences, [])
})

t.test('a target that stops answering is reported once, within three seconds', async t => {
  let alive = true
  const { clock, silences } = watch(() => (alive ? Promise.resolve() : new Promise(() => {})))
  await clock.advance(10_250)
  alive = false
  await clock.advance(2750)
  t.same(silences, [2000])
  await clock.advance(60_000)
  t.same(silences, [2000])
  t.equal(clock.armed, 0)
})

t.test('a failed ping is no answer', async t => {
  const { clock, silences } = watch(() => Promise.reject(new Error('no')))
  await clock.advance(3000)
  t.equal(silences.length, 1)
})

t.test('an answer that comes late in the count saves the target', async t => {
  const answers: (() => void)[] = []
  const { clock, silences } = watch(() => new Promise(resolve => answers.push(resolve)))
  await clock.advance(2400)
  answers.shift()?.()
  await new Promise(setImmediate)
  await clock.advance(2000)
  t.same(silences, [])
  t.equal(answers.length, 1, 'asked again')
})

t.test('a stopped watchdog is silent and no watchdog holds the program', async t => {
  const { clock, silences, watchdog } = watch(() => new Promise(() => {}))
  await clock.advance(1000)
  t.equal(clock.holding, false)
  watchdog.stop()
  watchdog.stop()
  await clock.advance(60_000)
  t.same(silences, [])
})
