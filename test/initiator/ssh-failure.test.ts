import t from 'tap'
import { describe } from '../../core/index.js'
import { unreachable } from '../../initiator/ssh-failure.js'

t.test('what an SSH server says when it ends the connection cannot command a terminal', async t => {
  const cause = new Error('\u001b]0;gotcha\u0007Too many\r')
  const error = unreachable('node2', 'the SSH handshake failed', cause)
  t.same(describe(error).at(-1), '\u00b7]0;gotcha\u00b7Too many\u00b7')
  t.notMatch(String((error.cause as Error).stack), /[^\P{C}\n]/u)
})

t.test('a harmless cause stays the very object that it was', async t => {
  const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
  t.equal(unreachable('node2', 'broke', cause).cause, cause)
})
