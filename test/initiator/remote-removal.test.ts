import t from 'tap'
import { RemotePool, readEnvironment } from '../../initiator/index.js'
import { encodeFirstWord } from '../../wire/index.js'
import { ScriptedShell, saying } from './scripted-shell.js'

const remove = (shell: ScriptedShell, options = {}) =>
  RemotePool.remove('me@node2', 'a.set', { shell, environment: readEnvironment({}), ...options })

t.test('a removal is one command whose exit status tells', async t => {
  const shell = saying('', '', { exitCode: 0 })
  await remove(shell, { force: true, removePoolSet: true })
  t.same(shell.commands, ['rpmemd --remove a.set --force --pool-set'])
})

const statuses = [
  [2, 'ERR_PART_MISSING'],
  [9, 'ERR_POOLSET_OUTSIDE'],
  [11, 'ERR_POOL_BUSY'],
  [13, 'ERR_PART_ACCESS'],
  [22, 'ERR_POOLSET_UNSUITABLE'],
  [77, 'ERR_REMOTE'],
] as const

for (const [exitCode, code] of statuses) {
  t.test(`exit status ${exitCode} is ${code} with its errno`, async t => {
    await t.rejects(remove(saying('', 'why\n', { exitCode })), { code, errno: exitCode, facts: { stderr: 'why\n' } })
  })
}

t.test('other ends have their own errors', async t => {
  await t.rejects(remove(saying('', '', { exitCode: 127 })), { code: 'ERR_RPMEMD_MISSING' })
  await t.rejects(remove(saying('', '', { exitCode: 255 })), { code: 'ERR_RPMEMD_EXITED' })
  await t.rejects(remove(saying('', '', {})), { code: 'ERR_SSH_UNREACHABLE' })
  await t.rejects(remove(saying('hello', '', { exitCode: 0 })), { code: 'ERR_REMOTE_NOISE' })
  await t.rejects(remove(saying(encodeFirstWord({ errno: 22 }), '', { exitCode: 1 })), { code: 'ERR_RPMEMD_STARTUP' })
})

t.test('what the daemon of a removal says is UTF-8, and cannot command a terminal', async t => {
  const shell = saying('', 'rpmemd: caf\u00e9 \u001b[2Jis\u009bgone\n', { exitCode: 77 })
  const error = await remove(shell).catch((cause: unknown) => cause)
  t.match(error, {
    code: 'ERR_REMOTE',
    message: /it says: rpmemd: caf\u00e9 \u00b7\[2Jis\u00b7gone$/,
    facts: { stderr: 'rpmemd: caf\u00e9 \u00b7[2Jis\u00b7gone\n' },
  })
})

t.test('an abort ends the wait for a removal and breaks its channel', async t => {
  const controller = new AbortController()
  let killed: Promise<void> = Promise.resolve()
  const shell = new ScriptedShell(far => {
    killed = far.killed
    // Not before the wait has begun.
    far.input.on('finish', () => controller.abort())
    far.input.resume()
  })
  await t.rejects(remove(shell, { signal: controller.signal }), { code: 'ERR_ABORTED' })
  await t.resolves(killed)
})
