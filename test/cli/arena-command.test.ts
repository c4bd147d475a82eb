import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../../cli/command-line.js'
import { Arena } from '../../lpsm/index.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { FakeIo } from './fake-io.js'

async function arena(...argv: string[]) {
  const io = new FakeIo()
  const code = await run(['arena', ...argv], io)
  return { code, out: io.stdout, err: io.stderr }
}

/** The files of an arena that was closed at checkpoint 3 and kept all. */
async function files(t: Test) {
  const folder = temporaryFolder(t)
  const data = join(folder, 'data')
  const log = join(folder, 'log')
  const arena = await Arena.open(data, log, { size: 64 * 1024, keep: 9 })
  for (const value of [1, 2, 3]) {
    arena.view(4096 * value, 1)[0] = value
    await arena.checkpoint()
  }
  await arena.close()
  return { data, log }
}

t.test('info says size, use and checkpoints', async t => {
  const { data, log } = await files(t)
  const { code, out } = await arena('info', data, log)
  t.equal(code, 0)
  t.match(out, /size {9}65536 B \(64 KiB\)\n/)
  t.match(out, /last user {4}closed it\n/)
  t.match(out, /checkpoints {2}4, the newest 3 of \d{4}-/)
  t.match(JSON.parse((await arena('info', data, log, '--json')).out), { size: 65536, closed: true })
})

t.test('log lists what can be restored, and restore makes it the newest', async t => {
  const { data, log } = await files(t)
  const { code, out } = await arena('log', data, log)
  t.equal(code, 0)
  t.match(out, /^0 {2}\S+ {2}64 KiB {2}in the data file\n1 .*\n2 .*\n3 {2}\S+ {2}64 KiB {2}1 page\n$/)
  t.match(await arena('restore', data, log, '1'), {
    code: 0,
    out: /checkpoint 4 is what checkpoint 1 was; 2 pages changed/,
  })
  const again = await Arena.open(data, log)
  t.same(
    [1, 2, 3].map(page => again.view(4096 * page, 1)[0]),
    [1, 0, 0],
  )
  await again.close()
  t.match(await arena('restore', data, log, '77'), { code: 1, err: /ERR_CHECKPOINT_UNKNOWN/ })
  t.match(await arena('restore', data, log, 'one'), { code: 2, err: /ERR_USAGE/ })
})

t.test('recover cuts the log, and with --at goes back', async t => {
  const { data, log } = await files(t)
  t.match(await arena('recover', data, log, '--at', '2'), {
    code: 0,
    out: /at checkpoint 2, 2 pages brought from the log; the log was cut from .* to 12 KiB\n/,
  })
  t.match(JSON.parse((await arena('recover', data, log, '--json')).out), { sequence: 2, pages: 0 })
  t.match(await arena('recover', data, log, '--at', '9'), { code: 1, err: /ERR_CHECKPOINT_UNKNOWN/ })
})

t.test('check finds a page that is not what it was, and says what can be had', async t => {
  const { data, log } = await files(t)
  t.match(await arena('check', data, log), { code: 0, out: /good, 64 KiB compared, the newest 3 of/ })
  const bytes = readFileSync(data)
  bytes[8192 + 4096 * 5] = 1
  writeFileSync(data, bytes)
  const { code, out } = await arena('check', data, log)
  t.equal(code, 1)
  t.match(
    out,
    /damaged: .*\n {2}data, 4096 bytes at 28672: page 5 does not match its checksum\n {2}no checkpoint is whole\n/,
  )
  t.match(JSON.parse((await arena('check', data, log, '--json')).out), { damage: { findingCount: 1, whole: [] } })
  t.match(await arena('info', data, log), { code: 0 }, 'the headers are good')
})

t.test('check finds a record that was durable and is not what it was', async t => {
  const { data, log } = await files(t)
  const bytes = readFileSync(log)
  const second = bytes.indexOf('RPMRECRD', bytes.indexOf('RPMRECRD', bytes.indexOf('RPMRECRD') + 1) + 1)
  bytes[second + 4096] = 99
  writeFileSync(log, bytes)
  const { code, out } = await arena('check', data, log)
  t.equal(code, 1)
  t.match(out, /record 3, which was durable, is damaged: the image of page 2 .*\n {2}whole are the checkpoints 0, 1; /)
  t.match(await arena('recover', data, log), { code: 1, err: /ERR_ARENA_DAMAGED/ })
  t.match(await arena('recover', data, log, '--at', '1'), { code: 0, out: /at checkpoint 1/ })
  t.match(await arena('check', data, log), { code: 0 })
})

t.test('files that are missing or in use are errors with a hint', async t => {
  const { data, log } = await files(t)
  t.match(await arena('info', `${data}-none`, log), {
    code: 1,
    err: /ERR_ARENA_MISSING[\s\S]*Bring the missing file back/,
  })
  const open = await Arena.open(data, log)
  t.match(await arena('check', data, log), { code: 1, err: /ERR_ARENA_BUSY/ })
  await open.close()
})
