import t from 'tap'
import { errorJson, errorText } from '../../cli/error-text.js'
import { RpmemError } from '../../core/index.js'

const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
const error = new RpmemError('ERR_SSH_REFUSED', 'node2 refuses', {
  cause,
  facts: { port: 22, key: 5n, absent: undefined, stderr: 'two\nlines\n' },
  durability: 'local',
})

t.test('code, message, causes, facts, durability and hint are told, in that order', async t => {
  t.equal(
    errorText(error, { colors: false }),
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
    errno: 111,
  })
})

t.test('what is no error of ours is told in one line', async t => {
  t.equal(errorText(new TypeError('odd'), { colors: false }), 'error odd\n')
  t.same(errorJson('text'), { message: 'text' })
})
