import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { initiatorLog } from '../../initiator/initiator-log.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { targetBed } from './target-bed.js'

t.test('the log goes to its file, down to its level', async t => {
  const logFile = join(temporaryFolder(t), 'log')
  const log = initiatorLog({ logLevel: 'notice', logFile })
  log.write('notice', 'seen')
  log.write('info', 'not seen')
  t.match(readFileSync(logFile, 'utf8'), /^\S+ rpmem\[\d+\]: notice: seen\n$/)
})

t.test('a file name that ends with a dash gets the process id', async t => {
  const folder = temporaryFolder(t)
  initiatorLog({ logLevel: 'err', logFile: join(folder, 'rpmem-') }).write('err', 'seen')
  t.same(readdirSync(folder), [`rpmem-${process.pid}`])
})

t.test('a file without a level stays unmade', async t => {
  const folder = temporaryFolder(t)
  initiatorLog({ logLevel: undefined, logFile: join(folder, 'log') }).write('err', 'not seen')
  t.same(readdirSync(folder), [])
})

t.test('a log file that cannot be written does not fail the program', async t => {
  const log = initiatorLog({ logLevel: 'err', logFile: '/nowhere/log' })
  const errors = t.capture(process.stderr, 'write')
  log.write('err', 'one')
  log.write('err', 'two')
  t.equal(errors().length, 1)
})

t.test('without a file the log goes to standard error, a message a line', async t => {
  const log = initiatorLog({ logLevel: 'err', logFile: undefined })
  const written = t.capture(process.stderr, 'write')
  log.write('err', 'what a target says\nrpmem[1]: err: forged\u001b[2J')
  const [line] = written().map(({ args }) => String(args[0]))
  t.match(line, /^[^\n]*says\\u000arpmem\[1\]: err: forged\\u001b\[2J\n$/)
})

for (const dialect of ['rpmem', 'pmdk'] as const) {
  t.test(`every call of the public face leaves its outcome in the log: ${dialect}`, async t => {
    const logFile = join(temporaryFolder(t), 'log')
    const { create, open, memory, kill } = await targetBed(t, dialect)
    const told = { logLevel: 'info', logFile } as const
    const pool = await create('single.set', told)
    await pool.setAttributes(pool.attributes)
    memory.view(4096, 12).set(Buffer.from('hold my keys'))
    pool.persistSync(4096, 12)
    await pool.close()
    await t.rejects(create('single.set', told), { code: 'ERR_PART_EXISTS' })
    const again = await open('single.set', told)
    const lost = new Promise(resolve => again.once('lost', resolve))
    const held = setTimeout(() => {}, 30_000)
    kill()
    await lost
    clearTimeout(held)
    const lines = readFileSync(logFile, 'utf8')
    t.match(lines, /: info: create me@node2 single\.set: done\n/)
    t.match(lines, /: info: set the attributes of me@node2 single\.set: done\n/)
    t.match(lines, /: info: close me@node2 single\.set: done\n/)
    t.match(lines, /: err: create me@node2 single\.set: ERR_PART_EXISTS: /)
    t.match(lines, /: err: me@node2 single\.set: ERR_TARGET_LOST: /)
    t.equal(lines.match(/: err: me@node2 single/g)?.length, 1, 'the loss is told once')
    t.notMatch(lines, /hold my keys/, 'user data is never logged')
  })
}
