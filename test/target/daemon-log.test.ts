import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { openDaemonLog } from '../../target/daemon-log.js'
import { defaultSettings } from '../../target/settings.js'

const settingsFor = (logFile: string) => ({
  ...defaultSettings('/'),
  useSyslog: false,
  logFile,
  logLevel: 'info' as const,
})

function errors(t: Test) {
  const stderr = new PassThrough()
  t.teardown(() => stderr.destroy())
  return { stderr, text: () => String(stderr.read() ?? '') }
}

t.test('the log file is appended to, up to the level asked for', async t => {
  const file = join(t.testdir({}), 'log')
  const { stderr, text } = errors(t)
  for (const turn of ['first', 'second']) {
    const log = openDaemonLog(settingsFor(file), stderr)
    log.write('err', `${turn} error`)
    log.write('info', `${turn} info`)
    log.write('debug', `${turn} debug`)
    await log.close()
  }
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  t.strictSame(
    lines.map(line => line.replace(/^\S+ rpmemd\[\d+\]: /, '')),
    ['err: first error', 'info: first info', 'err: second error', 'info: second info'],
  )
  t.ok(
    lines.every(line => !Number.isNaN(Date.parse(line.split(' ')[0] ?? ''))),
    'each line begins with its time',
  )
  t.equal(text(), '')
})

t.test('a log file that cannot be opened is replaced by standard error, with one line that says so', async t => {
  const { stderr, text } = errors(t)
  const log = openDaemonLog(settingsFor('/nowhere/at/all/log'), stderr)
  log.write('err', 'first')
  log.write('debug', 'too fine')
  log.write('notice', 'second')
  await log.close()
  const lines = text().trimEnd().split('\n')
  t.equal(lines.length, 3)
  t.match(lines, [/warn: the log file \/nowhere\/at\/all\/log cannot be used/, /err: first$/, /notice: second$/])
})

t.test('a full disk below the log loses no message', async t => {
  const { stderr, text } = errors(t)
  const log = openDaemonLog(settingsFor('/dev/full'), stderr)
  log.write('err', 'still told')
  await log.close()
  t.match(text(), /err: still told\n$/)
})

t.test('what an initiator sends cannot forge a line', async t => {
  const { stderr, text } = errors(t)
  const log = openDaemonLog(settingsFor('/nowhere/at/all/log'), stderr)
  log.write('err', "pool set 'a\nrpmemd[1]: err: all is well\r\u001b[2J\u2028'")
  await log.close()
  t.equal(text().trimEnd().split('\n').length, 2)
})

const system = { ...defaultSettings('/'), useSyslog: true, logLevel: 'notice' as const }

t.test('without a system log the messages go to standard error', async t => {
  const { stderr, text } = errors(t)
  const log = openDaemonLog(system, stderr, { socket: '/nowhere/log', command: 'logger' })
  log.write('err', 'told')
  await log.close()
  t.match(text(), /warn: the system log cannot be used \(\/nowhere\/log is missing\).*\n.*err: told\n$/)
})

t.test('without a logger no message is lost, not even the first', async t => {
  const { stderr } = errors(t)
  const log = openDaemonLog(system, stderr, { socket: '/dev/null', command: '/nowhere/logger' })
  log.write('err', 'first')
  log.write('warn', 'second')
  const told = lines(stderr, 3)
  t.match(await told, [/warn: the system log cannot be used .*ENOENT/, /err: first$/, /warn: second$/])
  const late = lines(stderr, 1)
  log.write('err', 'third')
  t.match(await late, [/err: third$/])
  await log.close()
})

t.test('a daemon that ends at once, without a logger, has told why', async t => {
  const { stderr } = errors(t)
  const log = openDaemonLog(system, stderr, { socket: '/dev/null', command: '/nowhere/logger' })
  log.write('err', 'the only one')
  await log.close()
  t.match(await lines(stderr, 2), [/cannot be used/, /err: the only one$/])
})

t.test('what a logger that has ended did not take goes to standard error', async t => {
  const command = join(t.testdir({ logger: '#!/bin/sh\nread line\nexec <&-\n: >"$0.ended"\n' }), 'logger')
  chmodSync(command, 0o755)
  const { stderr } = errors(t)
  const log = openDaemonLog(system, stderr, { socket: '/dev/null', command })
  const ended = existing(`${command}.ended`)
  log.write('err', 'taken')
  await ended
  log.write('err', 'not taken')
  t.match(await lines(stderr, 2), [/the system log cannot be used \(.*EPIPE/, /err: not taken$/])
  await log.close()
})

t.test('the system log gets each message with its priority, through one process', async t => {
  const script = '#!/bin/sh\necho started "$1" "$2" "$4" >>"$0.got"\ncat >>"$0.got"\n: >"$0.ended"\n'
  const command = join(t.testdir({ logger: script }), 'logger')
  chmodSync(command, 0o755)
  const { stderr, text } = errors(t)
  const log = openDaemonLog(system, stderr, { socket: '/dev/null', command })
  const ended = existing(`${command}.ended`)
  log.write('err', 'first')
  log.write('warn', 'second')
  log.write('info', 'too fine')
  log.write('notice', 'third')
  await log.close()
  await ended
  t.equal(
    readFileSync(`${command}.got`, 'utf8'),
    'started --tag rpmemd --prio-prefix\n<11>err: first\n<12>warn: second\n<13>notice: third\n',
  )
  t.equal(text(), '')
})

/** The next lines that were written, whole. */
async function lines(stderr: PassThrough, count: number): Promise<string[]> {
  let text = ''
  while (text.split('\n').length <= count) {
    text += String(stderr.read() ?? '')
    if (text.split('\n').length <= count) await once(stderr, 'readable')
  }
  return text.trimEnd().split('\n')
}

/** Resolves when the file appears: an event of the directory, not a wait. */
async function existing(path: string): Promise<void> {
  const watcher = watch(join(path, '..'))
  try {
    while (!existsSync(path)) await once(watcher, 'change')
  } finally {
    watcher.close()
  }
}
