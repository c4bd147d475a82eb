import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environmentLog } from '../../initiator/environment-log.js'
import { readEnvironment } from '../../initiator/index.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

t.test('an empty environment gives the defaults of librpmem', async t => {
  t.match(readEnvironment({}), {
    sshProgram: undefined,
    commands: ['rpmemd'],
    maxLanes: undefined,
    workQueueSize: undefined,
    sockets: false,
    verbs: true,
    logLevel: undefined,
  })
})

t.test('RPMEM_CMD is split at each bar and not trimmed', async t => {
  t.same(readEnvironment({ RPMEM_CMD: 'a b| c ||d' }).commands, ['a b', ' c ', '', 'd'])
})

const switches = [
  [undefined, false, true],
  ['', false, false],
  ['0', false, false],
  ['1', true, true],
  ['-3', true, true],
  ['1x', false, false],
  ['yes', false, false],
] as const

for (const [value, sockets, verbs] of switches) {
  t.test(`providers with the value ${value}`, async t => {
    t.match(readEnvironment({ RPMEM_ENABLE_SOCKETS: value, RPMEM_ENABLE_VERBS: value }), { sockets, verbs })
  })
}

t.test('numbers that are none count as not set', async t => {
  for (const value of ['0', '-1', 'x', '1.5', '', '99999999999'])
    t.match(readEnvironment({ RPMEM_MAX_NLANES: value, RPMEM_WORK_QUEUE_SIZE: value }), {
      maxLanes: undefined,
      workQueueSize: undefined,
    })
  t.match(readEnvironment({ RPMEM_MAX_NLANES: '7', RPMEM_WORK_QUEUE_SIZE: '60' }), { maxLanes: 7, workQueueSize: 60 })
})

t.test('log levels are names or PMDK’s numbers', async t => {
  const levelOf = (value: string) => readEnvironment({ RPMEM_LOG_LEVEL: value }).logLevel
  t.equal(levelOf('warn'), 'warn')
  t.equal(levelOf('0'), undefined)
  t.equal(levelOf('1'), 'err')
  t.equal(levelOf('9'), 'debug')
  t.equal(levelOf('loud'), undefined)
})

t.test('the log of the environment goes to its file, down to its level', async t => {
  const file = join(temporaryFolder(t), 'log')
  const log = environmentLog(readEnvironment({ RPMEM_LOG_LEVEL: 'notice', RPMEM_LOG_FILE: file }))
  log.write('notice', 'seen')
  log.write('info', 'not seen')
  t.match(readFileSync(file, 'utf8'), /^\S+ rpmem\[\d+\]: notice: seen\n$/)
})

t.test('a log file that cannot be written does not fail the program', async t => {
  const log = environmentLog(readEnvironment({ RPMEM_LOG_LEVEL: 'err', RPMEM_LOG_FILE: '/nowhere/log' }))
  const errors = t.capture(process.stderr, 'write')
  log.write('err', 'one')
  log.write('err', 'two')
  t.equal(errors().length, 1)
})
