import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import type { ListenOptions } from '../../fabric-native/index.js'
import { rpmemd, type StopSignal } from '../../target/rpmemd.js'
import { controlShape, decodeControl, Framer } from '../../wire/index.js'
import { session as captured } from '../fixture/vectors.js'
import { bed } from './session-bed.js'

interface Run {
  readonly dir: string
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
  /** What the fabric was asked to listen for. */
  readonly listened: readonly ListenOptions[]
}

interface Start {
  /** `DIR` in an argument stands for a directory of the test. */
  readonly args?: readonly string[]
  /** Content of DIR/conf. */
  readonly config?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: Uint8Array
  readonly signal?: StopSignal
}

/** The daemon with everything but its process: in-memory streams and fabric, files below the test's directory. */
async function run(t: Test, start: Start = {}): Promise<Run> {
  const it = bed(t)
  const [input, output, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  writeFileSync(join(it.pools, 'conf'), start.config ?? '')
  if (start.input) input.write(start.input)
  if (!start.signal) input.end()
  const listened: ListenOptions[] = []
  const code = await rpmemd({
    args: (start.args ?? []).map(arg => arg.replace('DIR', it.pools)),
    env: { HOME: it.pools, SSH_CONNECTION: '127.0.0.1 1111 127.0.0.1 2222', ...start.env },
    home: () => it.pools,
    input,
    output,
    stderr,
    fabric: {
      probe: async () => [...(await it.node.offers)],
      connect: options => it.fabric.connect(options),
      listen(options) {
        listened.push(options)
        return it.fabric.listen(options)
      },
    },
    storage: it.storage,
    version: () => '1.2.3',
    globalConfigFile: join(it.pools, 'global.conf'),
    onSignal: stop => start.signal && stop(start.signal),
  })
  t.ok(it.released())
  return {
    dir: it.pools,
    listened,
    code,
    stdout: Buffer.from(output.read() ?? []),
    stderr: String(stderr.read() ?? ''),
  }
}

/** The control messages after the four bytes of the first word. */
function heard(stdout: Buffer) {
  const messages: ReturnType<typeof decodeControl>[] = []
  new Framer(controlShape).push(stdout.subarray(4), frame => messages.push(decodeControl(frame)))
  return messages
}

t.test('help and version are told on standard error, and the output stays empty', async t => {
  const help = await run(t, { args: ['--help'] })
  t.match(help, { code: 0, stderr: /Usage: rpmemd/ })
  t.equal(help.stdout.length, 0)
  const version = await run(t, { args: ['-V'] })
  t.match(version, { code: 0, stderr: 'rpmemd of rpmem 1.2.3\n' })
  t.equal(version.stdout.length, 0)
})

t.test('a wrong command line is told on standard error with code 255 and no status word', async t => {
  const { code, stdout, stderr } = await run(t, { args: ['negotiate', '--nonsense', '--log-level', 'loud'] })
  t.equal(code, 255)
  t.equal(stdout.length, 0)
  t.match(stderr, /unknown option --nonsense.*loud/)
})

t.test('a session without a word begins with the status 0 and ends with 1', async t => {
  const { code, stdout } = await run(t)
  t.equal(code, 1)
  t.equal(stdout.toString('hex'), '00000000')
})

t.test('a failed configuration is an errno for PMDK and an explanation for us', async t => {
  const args = ['--config', 'DIR/conf']
  const config = 'poolset-dir = relative'
  const pmdk = await run(t, { args, config })
  t.equal(pmdk.code, 1)
  t.equal(pmdk.stdout.toString('hex'), '16000000', 'as in vector 28')
  t.match(pmdk.stderr, /not an absolute path/)
  const ours = await run(t, { args: [...args, 'negotiate'], config })
  t.equal(ours.code, 1)
  t.match(heard(ours.stdout), [{ type: 'failure', id: 0, code: 'ERR_CONFIG', errno: 22 }])
  const missing = await run(t, { args: ['-c', '/nowhere/conf'] })
  t.equal(missing.stdout.toString('hex'), '02000000')
  const removing = await run(t, { args: [...args, '--remove', 'single.set'], config })
  t.match(removing, { code: 22 })
  t.equal(removing.stdout.length, 0, 'remove mode never writes to the output')
})

t.test('negotiate is answered with the word and hello', async t => {
  const { code, stdout } = await run(t, { args: ['negotiate'] })
  t.equal(code, 1)
  t.equal(stdout.subarray(0, 4).toString(), 'RPM1')
  t.match(heard(stdout), [
    {
      type: 'hello',
      software: 'rpmem 1.2.3',
      offers: [{ provider: 'verbs' }, { provider: 'tcp' }, { provider: 'sockets' }],
    },
  ])
})

t.test('without SSH_CONNECTION no provider is offered, with the reason', async t => {
  for (const value of ['', 'nonsense', '127.0.0.1 1 127.0.0.1', 'a 1 b 2']) {
    const { stdout } = await run(t, { args: ['negotiate'], env: { SSH_CONNECTION: value } })
    const reason = /SSH_CONNECTION/
    t.match(heard(stdout), [{ offers: [{ reason }, { reason }, { reason }] }], value)
  }
})

t.test('a create over the process’s streams makes the pool of the set', async t => {
  const [create] = captured('20-create-absolute-name.txt').bursts.filter(({ from }) => from === 'initiator')
  const { code, stdout } = await run(t, { input: create?.bytes ?? new Uint8Array() })
  t.equal(code, 0)
  t.equal(stdout.toString('hex').slice(0, 16), '0000000000000002', 'ready, then BADNAME')
})

t.test('signals end the session with 128 and their number', async t => {
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
  ] as const)
    t.equal((await run(t, { signal })).code, code, signal)
})

t.test('remove mode removes without a word', async t => {
  const { code, stdout } = await run(t, { args: ['--remove', 'none.set'] })
  t.equal(code, 2)
  t.equal(stdout.length, 0)
})

t.test('the number of threads reaches the fabric', async t => {
  const [create] = captured('01-create-attr.txt').bursts.filter(({ from }) => from === 'initiator')
  for (const [args, threads] of [
    [['--nthreads', '3'], 3],
    [['-t0'], undefined],
    [[], undefined],
  ] as const) {
    const { listened } = await run(t, { args, input: create?.bytes ?? new Uint8Array() })
    t.same(
      listened.map(options => options.threads),
      [threads],
      args.join(' '),
    )
  }
})

t.test('the log file of the configuration is written', async t => {
  const { dir } = await run(t, { args: ['-cDIR/conf', '--log-file', 'DIR/log'], config: 'log-level = debug' })
  t.match(readFileSync(join(dir, 'log'), 'utf8'), /notice: the initiator has gone/)
})
