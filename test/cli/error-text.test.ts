import t from 'tap'
import { errorJson, errorText } from '../../cli/error-text.js'
import { RpmemError } from '../../core/index.js'
import { PoolSetSyntaxError } from '../../poolset/index.js'

const pipe = { colors: false, columns: 80, terminal: false }

const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
const error = new RpmemError('ERR_SSH_REFUSED', 'node2 refuses', {
  cause,
  facts: { port: 22, key: 5n, absent: undefined, stderr: 'two\nlines\n' },
  durability: 'local',
})

t.test('code, message, causes, facts, durability and hint are told, in that order', async t => {
  t.equal(
    errorText(error, pipe),
    [
      'error ERR_SSH_REFUSED: node2 refuses',
      '  because connect ECONNREFUSED',
      '  port: 22',
      '  key: 5',
      '  stderr: two',
      '    lines',
      '  durable: local',
      '  hint: Check that sshd runs there and that the port is right.',
      '',
    ].join('\n'),
  )
})

t.test('programs get the same as JSON', async t => {
  t.match(JSON.parse(JSON.stringify(errorJson(error))), {
    code: 'ERR_SSH_REFUSED',
    causes: ['connect ECONNREFUSED'],
    facts: { port: 22, key: '5' },
    durability: 'local',
    errno: 104,
  })
})

t.test('what is no error of ours is told in one line', async t => {
  t.match(errorText(new TypeError('odd'), pipe), /^error odd\n {2}hint: This is a defect of rpmem.*\n$/)
  t.same(errorJson('text'), { message: 'text' })
})

t.test('on a terminal long lines are broken at blanks, in a pipe they are not', async t => {
  const long = new RpmemError('ERR_ARGUMENT', 'word '.repeat(30).trimEnd())
  const [first] = errorText(long, pipe).split('\n')
  t.equal(first, `error ERR_ARGUMENT: ${'word '.repeat(30).trimEnd()}`)
  const lines = errorText(long, { ...pipe, columns: 60, terminal: true }).split('\n')
  t.ok(lines.length > 4)
  t.ok(lines.every(line => line.length <= 66))
})

t.test('mistakes of a pool set are counted, shown with their lines, and followed by a hint', async t => {
  const mistake = { rule: 'token', line: 2, column: 4, message: 'odd', source: '8M relative', errno: 0 } as const
  const text = errorText(new PoolSetSyntaxError('a.set', [mistake]), pipe)
  t.match(text, /^error ERR_POOLSET_SYNTAX: a mistake in a\.set\na\.set:2:4: odd\n {2}2 \| 8M relative\n/)
  t.match(text, /\n {2}hint: .*\n$/)
})

t.test('nothing that a target says commands the terminal', async t => {
  const red = '\u001b[31mred\u0007\r'
  const hostile = new RpmemError('ERR_REMOTE', red, { cause: new Error(red), facts: { [red]: red }, hint: red })
  const text = errorText(hostile, pipe)
  t.notMatch(text, /[^\P{C}\n]/u)
  t.equal(text.match(/·\[31mred··/g)?.length, 5, 'it is shown all the same')
})
