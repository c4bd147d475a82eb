import t from 'tap'
import { readEnvironment } from '../../initiator/index.js'

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
