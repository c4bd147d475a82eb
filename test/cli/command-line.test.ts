import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../cli/command-line.js'
import { FakeIo } from './fake-io.js'

const rpmem = async (...argv: string[]) => {
  const io = new FakeIo()
  const code = await run(argv, io)
  return { code, out: io.stdout, err: io.stderr }
}

t.test('help is asked for with success and shown with failure when no command is given', async t => {
  const help = await rpmem('--help')
  t.equal(help.code, 0)
  t.match(help.out, /Examples:/)
  t.equal((await rpmem()).code, 2)
  const version = await rpmem('--version')
  t.match(version.out, /^rpmem \d+\.\d+\.\d+\n$/)
})

for (const argv of [
  ['bogus'],
  ['info'],
  ['poolset', 'convert', 'x'],
  ['explain', 'NOTHING'],
  ['info', '--bogus', 'x'],
]) {
  t.test(`rpmem ${argv.join(' ')} is wrong usage`, async t => {
    const { code, out, err } = await rpmem(...argv)
    t.equal(code, 2)
    t.equal(out, '')
    t.not(err, '')
  })
}

t.test('every command has a help with an example', async t => {
  for (const argv of [['info'], ['poolset', 'check'], ['poolset', 'convert'], ['poolset', 'plan'], ['explain']]) {
    const { code, out } = await rpmem(...argv, '--help')
    t.equal(code, 0)
    t.match(out, `$ rpmem ${argv.join(' ')}`)
  }
})

t.test('explain takes a code in any case and with or without its prefix', async t => {
  for (const name of ['ERR_RANGE', 'err_range', 'range']) {
    const { code, out } = await rpmem('explain', name)
    t.equal(code, 0)
    t.match(out, /^ERR_RANGE\nmeans {4}.*\nremedy {3}/)
  }
  t.match(JSON.parse((await rpmem('explain', 'range', '--json')).out), { code: 'ERR_RANGE', errno: 22 })
})

t.test('explain without a code lists all, and a near miss is answered with suggestions', async t => {
  t.match((await rpmem('explain')).out, /^ERR_ARGUMENT {2,}/)
  t.match((await rpmem('explain', 'ERR_HOST_KEY')).err, /ERR_HOST_KEY_CHANGED/)
})

t.test('a good pool set passes the check, is planned and converted', async t => {
  const dir = t.testdir({ 'a.set': 'PMEMPOOLSET\n8M /nowhere/p0 # first\n10M /nowhere/p1\nREPLICA b@node2 r.set\n' })
  const file = join(dir, 'a.set')
  t.match(await rpmem('poolset', 'check', file), { code: 0, out: /1 local and 1 remote replicas, 18 MiB, good/ })
  const plan = await rpmem('poolset', 'plan', file, '--json')
  t.match(JSON.parse(plan.out), { poolSize: 18 * 2 ** 20 - 4096, remotes: [{ node: 'b@node2', set: 'r.set' }] })
  t.match((await rpmem('poolset', 'plan', file)).out, /remote replica r\.set on b@node2/)
  const output = join(dir, 'b.set')
  t.equal((await rpmem('poolset', 'convert', file, '--to', 'text', '-o', output)).code, 0)
  t.equal(readFileSync(output, 'utf8'), readFileSync(file, 'utf8'))
  const again = await rpmem('poolset', 'convert', file, '--to', 'text', '-o', output)
  t.match(again, { code: 1, err: /cannot be written/ })
})

t.test('all mistakes of a bad pool set are listed with their lines', async t => {
  const dir = t.testdir({ 'bad.set': 'PMEMPOOLSET\n8X /a\nfoo\n', 'small.set': 'PMEMPOOLSET\n4K /nowhere/p\n' })
  const bad = await rpmem('poolset', 'check', join(dir, 'bad.set'))
  t.equal(bad.code, 1)
  t.match(bad.err, /bad\.set:2:1: [\s\S]*8X \/a\n.*\^[\s\S]*bad\.set:3:1: /)
  const { error } = JSON.parse((await rpmem('poolset', 'check', join(dir, 'bad.set'), '--json')).err)
  t.match(error, { code: 'ERR_POOLSET_SYNTAX', mistakes: [{ line: 2 }, { line: 3 }] })
  t.match(await rpmem('poolset', 'check', join(dir, 'small.set')), { code: 1, out: /a part has at least 2097152/ })
  t.match(await rpmem('poolset', 'plan', join(dir, 'none.set')), { code: 1, err: /ERR_POOLSET_MISSING/ })
})
