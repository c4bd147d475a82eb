import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB } from '../../core/index.js'
import { session as captured } from '../fixture/vectors.js'
import { DaemonProcess } from './daemon-process.js'
import { create, Initiator, open } from './initiator.js'

/** A poolset-dir with one set, and the daemon on it. */
function place(t: Test) {
  const dir = t.testdir({ pools: {}, parts: {} })
  const [pools, parts] = [join(dir, 'pools'), join(dir, 'parts')]
  writeFileSync(join(pools, 'single.set'), `PMEMPOOLSET\n8M ${parts}/single\n`)
  const start = (...args: string[]) => new DaemonProcess(t, ['--poolset-dir', pools, ...args])
  const initiator = () => new Initiator(start('negotiate'))
  return { dir, pools, parts, start, initiator, left: () => readdirSync(parts) }
}

const bytes = (file: string): Uint8Array =>
  captured(file).bursts.find(({ from }) => from === 'initiator')?.bytes ?? new Uint8Array()

t.test('help and version are told on standard error', async t => {
  for (const [option, text] of [
    ['--help', /Usage: rpmemd/],
    ['--version', /^rpmemd of rpmem \d+\.\d+\.\d+\n$/],
  ] as const) {
    const daemon = new DaemonProcess(t, [option])
    t.match(await daemon.errors(), text)
    t.equal((await daemon.rest()).length, 0)
    t.equal(await daemon.ended, 0)
  }
})

t.test('a wrong command line is 255 without a word', async t => {
  const daemon = new DaemonProcess(t, ['--nonsense'])
  t.equal(await daemon.ended, 255)
  t.equal((await daemon.rest()).length, 0)
  t.match(await daemon.errors(), /unknown option --nonsense/)
})

t.test(
  'PMDK: the end of the input after the status is exit code 1, and the status is all that was written',
  async t => {
    const daemon = place(t).start()
    t.strictSame([...(await daemon.read(4))], [0, 0, 0, 0])
    daemon.input.end()
    t.equal(await daemon.ended, 1)
    t.equal((await daemon.rest()).length, 0)
  },
)

t.test('PMDK: close before create is answered with FATAL and exit code 0', async t => {
  const daemon = place(t).start()
  await daemon.read(4)
  daemon.input.write(bytes('48-raw-close-first.txt'))
  t.equal(Buffer.from(await daemon.rest()).toString('hex'), '00000006000000060000000000000010')
  t.equal(await daemon.ended, 0)
})

t.test('PMDK: nonsense is exit code 255 without an answer', async t => {
  const daemon = place(t).start()
  await daemon.read(4)
  daemon.input.write('GET / HTTP/1.1\r\n\r\n')
  t.equal((await daemon.rest()).length, 0)
  t.equal(await daemon.ended, 255)
})

t.test('a created pool whose lanes never come is gone when the initiator is', async t => {
  const { initiator, left } = place(t)
  const ours = initiator()
  await ours.begin()
  ours.say(create)
  const ready = await ours.hear('ready')
  t.ok(ready.port > 0)
  t.strictSame(left(), ['single'])
  t.equal(await ours.end(), 1)
  t.strictSame(left(), [])
})

t.test('a pool that one daemon has is busy for another, until its daemon is killed', async t => {
  const { initiator, left } = place(t)
  const first = initiator()
  await first.begin()
  first.say(create)
  await first.hear('ready')

  const second = initiator()
  await second.begin()
  second.say(open)
  t.match(await second.hear('failure'), { code: 'ERR_POOL_BUSY', errno: 16 })
  t.equal(await second.channel.ended, 0)

  first.channel.child.kill('SIGKILL')
  t.equal(await first.channel.ended, 'SIGKILL')
  const third = initiator()
  await third.begin()
  third.say(open)
  await third.hear('ready')
  third.say({ type: 'close', id: 2, remove: false })
  await third.hear('done')
  t.equal(await third.channel.ended, 0)
  t.strictSame(left(), ['single'])
})

t.test('signals close the pool and end the daemon', async t => {
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
  ] as const) {
    const { initiator, left } = place(t)
    const ours = initiator()
    await ours.begin()
    ours.say(create)
    await ours.hear('ready')
    ours.channel.child.kill(signal)
    t.equal(await ours.channel.ended, code)
    t.strictSame(left(), [], 'the lanes never came, so the creation has failed')
  }
})

t.test('an initiator that closes its ear but not its mouth is noticed', async t => {
  const { initiator, left } = place(t)
  const ours = initiator()
  await ours.begin()
  ours.say(create)
  await ours.hear('ready')
  ours.channel.child.stdout.destroy()
  ours.say({ type: 'ping', id: 2 }, { type: 'ping', id: 3 })
  t.equal(await ours.channel.ended, 1)
  t.strictSame(left(), [])
})

t.test('--remove takes the parts away and keeps the output empty', async t => {
  const { dir, parts, pools, start: run, left } = place(t)
  const start = (...args: string[]) => run('--log-file', join(dir, 'log'), ...args)
  writeFileSync(join(pools, 'plain.set'), `PMEMPOOLSET\nOPTION NOHDRS\n2M ${parts}/plain\n`)
  writeFileSync(join(parts, 'plain'), Buffer.alloc(2 * MiB))
  writeFileSync(join(parts, 'other'), 'not named')
  const daemon = start('--remove', 'plain.set', '--pool-set')
  t.equal(await daemon.ended, 0)
  t.equal((await daemon.rest()).length, 0)
  t.equal(await daemon.errors(), '')
  t.strictSame(left(), ['other'])
  t.notOk(existsSync(join(pools, 'plain.set')))
  const again = start('--remove', 'plain.set')
  t.equal(await again.ended, 2)
  t.equal((await again.rest()).length, 0)
  t.match(await again.errors(), /^rpmemd: remove 'plain\.set': ERR_POOLSET_MISSING: /)
  const forced = start('--remove', 'plain.set', '--force')
  t.equal(await forced.ended, 0)
  t.equal(await forced.errors(), '')
  t.equal(await start('--remove', '../x').ended, 9)
  t.equal(await start('--remove', '../x', '--force').ended, 9)
})

t.test('--remove leaves a pool alone that a daemon serves', async t => {
  const { initiator, start, left } = place(t)
  const ours = initiator()
  await ours.begin()
  ours.say(create)
  await ours.hear('ready')
  t.equal(await start('--remove', 'single.set').ended, 11)
  t.strictSame(left(), ['single'])
  await ours.end()
})

t.test('the file of the user in the home directory is read', async t => {
  const { dir, pools } = place(t)
  const home = join(dir, 'home')
  mkdirSync(home)
  writeFileSync(join(home, '.rpmemd.conf'), `poolset-dir = ${pools}\nlog-file = ${home}/log\nlog-level = info\n`)
  const ours = new Initiator(new DaemonProcess(t, ['negotiate'], { HOME: home }))
  await ours.begin()
  ours.say(open)
  t.match(await ours.hear('failure'), { code: 'ERR_PART_MISSING' })
  t.equal(await ours.channel.ended, 0)
  t.ok(existsSync(join(home, 'log')))
})
