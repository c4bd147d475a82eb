import t from 'tap'
import { Progress } from '../../cli/progress.js'
import { waiting } from '../../cli/waiting.js'
import { FakeIo } from './fake-io.js'

class Terminal extends FakeIo {
  override readonly terminal = true
}

t.test('a pipe sees no progress', async t => {
  const io = new FakeIo()
  const progress = new Progress(io, 100, 0)
  progress.update(50, 1000)
  progress.end()
  t.equal(await waiting(io, 'working', Promise.resolve(7)), 7)
  t.equal(io.stderr + io.stdout, '')
})

t.test('a terminal sees the share, at most ten times a second, and nothing in the end', async t => {
  const io = new Terminal()
  const progress = new Progress(io, 2048, 0)
  progress.update(1024, 1000)
  t.match(io.stderr, /^\r {2}█+░+ 50 % {2}1 KiB {2}1 KiB\/s {2}1 s left/)
  const before = io.stderr
  progress.update(1025, 1050)
  t.equal(io.stderr, before)
  progress.end()
  t.ok(io.stderr.endsWith('\r\x1b[K'))
})

t.test('a bar with its text fits the terminal', async t => {
  const io = new Terminal()
  new Progress(io, 10, 0).update(10, 3_600_000)
  t.ok(io.stderr.replace('\r', '').replace('\x1b[K', '').length <= io.columns)
})

t.test('what fails while it is waited for fails the same way', async t => {
  const io = new Terminal()
  await t.rejects(waiting(io, 'working', Promise.reject(new Error('broken'))), { message: 'broken' })
  t.equal(io.stderr, '')
})
