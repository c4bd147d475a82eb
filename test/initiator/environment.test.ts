import t from 'tap'
import { processEnvironment, readEnvironment } from '../../initiator/index.js'

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

t.test('log levels are names or the numbers of librpmem(7)', async t => {
  const levelOf = (value: string) => readEnvironment({ RPMEM_LOG_LEVEL: value }).logLevel
  for (const name of ['err', 'warn', 'notice', 'info', 'debug']) t.equal(levelOf(name), name)
  const numbers = { 0: undefined, 1: 'err', 2: 'info', 3: 'debug', 4: 'debug', 9: 'debug' }
  for (const [number, name] of Object.entries(numbers)) t.equal(levelOf(number), name, number)
  for (const wrong of ['loud', '', '-1', '1.5']) t.equal(levelOf(wrong), undefined, wrong)
})

t.test('client and providers are looked up at each use, everything else once, as in librpmem', async t => {
  const names = ['RPMEM_SSH', 'RPMEM_ENABLE_SOCKETS', 'RPMEM_ENABLE_VERBS', 'RPMEM_CMD', 'RPMEM_MAX_NLANES']
  const before = names.map(name => [name, process.env[name]] as const)
  t.teardown(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
  for (const name of names) delete process.env[name]
  const first = processEnvironment()
  for (const name of names) process.env[name] = name.includes('VERBS') ? '0' : '1'
  t.match(processEnvironment(), { sshProgram: '1', sockets: true, verbs: false, maxLanes: undefined })
  t.equal(processEnvironment().commands, first.commands, 'the same turn of commands goes on')
})
