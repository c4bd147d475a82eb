import fc from 'fast-check'
import t from 'tap'
import { isRpmemError, RpmemError, systemClock } from '../../core/index.js'
import { startSession } from '../../initiator/session-start.js'
import { encodeControl, encodeFirstWord, failureOf, rpmemWord } from '../../wire/index.js'
import { type FarEnd, ScriptedShell, saying } from './scripted-shell.js'

const start = (shell: ScriptedShell, startDeadlineMs = 5000) =>
  startSession({
    shell,
    command: 'rpmemd',
    clock: systemClock,
    startDeadlineMs,
    answerDeadlineMs: 300,
    openDeadlineMs: 300,
  })

const hello = (versions = { min: 1, max: 1 }) =>
  Buffer.concat([
    encodeFirstWord('rpmem'),
    encodeControl({ type: 'hello', versions, software: 'rpmem 1', capabilities: ['future'], offers: [] }),
  ])

const pool = { poolSet: 'a.set', size: 4096, lanes: 1, provider: 'tcp', inlineSize: 0 } as const

t.test('the remote command is the word negotiate after the command', async t => {
  const shell = saying(encodeFirstWord('pmdk'))
  const session = await start(shell)
  t.same(shell.commands, ['rpmemd negotiate'])
  t.equal(session.dialect, 'pmdk')
  t.equal(session.offers, undefined)
})

t.test('our daemon is recognised however its first bytes are cut', async t => {
  const bytes = hello()
  for (let cut = 1; cut < 12; cut++) {
    const shell = new ScriptedShell(({ output }) => {
      output.write(bytes.subarray(0, cut))
      setImmediate(() => output.write(bytes.subarray(cut)))
    })
    const session = await start(shell)
    t.equal(session.dialect, 'rpmem')
    t.equal(session.software, 'rpmem 1')
  }
})

t.test('text of a login shell is ERR_REMOTE_NOISE and stands in the error', async t => {
  const shell = new ScriptedShell(({ output }) => {
    output.write('Welcome')
    setImmediate(() => output.write(' to node2\u001b[31m\n'))
  })
  await t.rejects(start(shell), { code: 'ERR_REMOTE_NOISE', facts: { text: 'Welcome to node2·[31m\n' } })
  await t.rejects(start(saying('hi', '', { exitCode: 0 })), { code: 'ERR_REMOTE_NOISE', facts: { text: 'hi' } })
})

t.test('a missing command is ERR_RPMEMD_MISSING by its exit code', async t => {
  for (const exitCode of [127, 126]) {
    const shell = saying('', 'sh: 1: rpmemd: not found\n', { exitCode })
    await t.rejects(start(shell), {
      code: 'ERR_RPMEMD_MISSING',
      message: /sh: 1: rpmemd: not found/,
      facts: { exitCode, command: 'rpmemd' },
    })
  }
})

t.test('a daemon that ends early is ERR_RPMEMD_EXITED with exit code and standard error', async t => {
  await t.rejects(start(saying('', 'cannot go on\nmore\n', { exitCode: 3 })), {
    code: 'ERR_RPMEMD_EXITED',
    facts: { exitCode: 3, stderr: 'cannot go on\nmore\n' },
  })
  await t.rejects(start(saying('', '', { signal: 'SIGKILL' })), {
    code: 'ERR_RPMEMD_EXITED',
    facts: { signal: 'SIGKILL' },
  })
})

t.test('the end of an external client is its own failure', async t => {
  const shell = saying('', 'Host key verification failed.\n', { exitCode: 255 })
  shell.external = true
  await t.rejects(start(shell), { code: 'ERR_SSH_CLIENT', message: /Host key verification failed/ })
})

t.test('a connection that breaks first is ERR_SSH_UNREACHABLE', async t => {
  await t.rejects(start(saying('', '', {})), { code: 'ERR_SSH_UNREACHABLE' })
})

t.test('an errno as first word is ERR_RPMEMD_STARTUP with that errno', async t => {
  await t.rejects(start(saying(encodeFirstWord({ errno: 22 }))), { code: 'ERR_RPMEMD_STARTUP', errno: 22 })
})

t.test('silence is ERR_DEADLINE, and the connection is broken', async t => {
  let far: FarEnd | undefined
  const shell = new ScriptedShell(end => {
    far = end
  })
  await t.rejects(start(shell, 20), { code: 'ERR_DEADLINE' })
  await far?.killed
})

t.test('another version is ERR_VERSION with both ranges', async t => {
  await t.rejects(start(saying(hello({ min: 9, max: 9 }))), {
    code: 'ERR_VERSION',
    facts: { ours: [1, 1], theirs: [9, 9] },
  })
})

t.test('a failure in place of hello is raised as it is', async t => {
  const failure = failureOf(new RpmemError('ERR_CONFIG', 'line 3 is wrong', { facts: { line: 3 } }), 0)
  const bytes = Buffer.concat([encodeFirstWord('rpmem'), encodeControl(failure)])
  await t.rejects(start(saying(bytes, '', { exitCode: 1 })), { code: 'ERR_CONFIG', facts: { line: 3 } })
})

t.test('nonsense in place of hello is ERR_PROTOCOL', async t => {
  const word = Buffer.alloc(4)
  word.writeInt32LE(rpmemWord)
  await t.rejects(start(saying(Buffer.concat([word, Buffer.alloc(64, 0xff)]))), { code: 'ERR_PROTOCOL' })
  const pong = Buffer.concat([encodeFirstWord('rpmem'), encodeControl({ type: 'pong', id: 1, activeLanes: 0 })])
  await t.rejects(start(saying(pong)), { code: 'ERR_PROTOCOL' })
})

t.test('no hello in time is ERR_DEADLINE', async t => {
  await t.rejects(start(saying(encodeFirstWord('rpmem'))), { code: 'ERR_DEADLINE' })
})

t.test('an abort ends the wait for hello', async t => {
  const controller = new AbortController()
  const shell = new ScriptedShell(far => {
    far.output.write(encodeFirstWord('rpmem'))
    setImmediate(() => controller.abort())
  })
  const starting = startSession({ shell, command: 'rpmemd', clock: systemClock, signal: controller.signal })
  await t.rejects(starting, { code: 'ERR_ABORTED' })
})

t.test('a daemon that dies in the middle is ERR_CONTROL_LOST with what it said', async t => {
  const shell = new ScriptedShell(far => {
    far.output.write(hello())
    far.errors.write('out of luck\n')
    far.input.once('data', () => far.exit({ signal: 'SIGKILL' }))
  })
  const session = await start(shell)
  const lost = new Promise<Error>(resolve => session.onLost(resolve))
  await t.rejects(session.open(pool), {
    code: 'ERR_CONTROL_LOST',
    facts: { signal: 'SIGKILL', stderr: 'out of luck\n' },
  })
  t.match(await lost, { code: 'ERR_CONTROL_LOST' })
  await t.rejects(session.setAttributes(undefined), { code: 'ERR_CONTROL_LOST' })
})

t.test('an answer that never comes is ERR_DEADLINE; one that comes late disturbs nobody', async t => {
  let far: FarEnd | undefined
  const session = await start(
    new ScriptedShell(end => {
      far = end
      end.output.write(hello())
    }),
  )
  await t.rejects(session.setAttributes(undefined), { code: 'ERR_DEADLINE' })
  far?.output.write(encodeControl({ type: 'done', id: 1 }))
  const again = session.setAttributes(undefined)
  far?.output.write(encodeControl({ type: 'done', id: 2 }))
  await again
  t.pass('answered')
})

t.test('the wrong kind of answer is ERR_PROTOCOL and ends the session', async t => {
  const session = await start(
    new ScriptedShell(far => {
      far.output.write(hello())
      let writes = 0
      far.input.on('data', () => {
        if (++writes === 2) far.output.write(encodeControl({ type: 'done', id: 1 }))
      })
    }),
  )
  const lost = new Promise<Error>(resolve => session.onLost(resolve))
  await t.rejects(session.open(pool), { code: 'ERR_PROTOCOL' })
  t.match(await lost, { code: 'ERR_PROTOCOL' })
})

t.test('whatever a daemon says, the start succeeds or is an RpmemError', async t => {
  const beginning = fc.constantFrom(new Uint8Array(), encodeFirstWord('rpmem'), encodeFirstWord('pmdk'), hello())
  await fc.assert(
    fc.asyncProperty(beginning, fc.uint8Array({ maxLength: 200 }), async (first, more) => {
      const shell = saying(Buffer.concat([first, more]), '', { exitCode: 0 })
      try {
        const session = await start(shell)
        await session.open({ ...pool, provider: 'sockets' })
        return false
      } catch (error) {
        return isRpmemError(error)
      }
    }),
    { seed: 13, numRuns: 40 },
  )
  t.pass('held')
})
