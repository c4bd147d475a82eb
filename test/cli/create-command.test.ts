import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../../cli/command-line.js'
import { LoopbackNodes } from '../../cli/loopback-node.js'
import { FakeIo } from './fake-io.js'

const rpmem = async (...argv: string[]) => {
  const io = new FakeIo()
  const code = await run(argv, io)
  return { code, out: io.stdout, err: io.stderr }
}

/** A pool set with one local and one remote replica, and the flags that lead to the node. */
async function bed(t: Test) {
  const dir = t.testdir({})
  const nodes = await LoopbackNodes.start(dir, ['node2'])
  t.teardown(() => nodes.close())
  const set = join(dir, 'a.set')
  const remoteSet = join(nodes.poolSetDir('node2'), 'a.set')
  const remotePart = join(nodes.poolSetDir('node2'), 'part')
  writeFileSync(set, `PMEMPOOLSET\n8M ${dir}/part\nREPLICA ${nodes.address('node2')} a.set\n`)
  writeFileSync(remoteSet, `PMEMPOOLSET\n8M ${remotePart}\n`)
  const flags = ['-i', nodes.identityFile, '--known-hosts', nodes.knownHostsFile, '--ssh-config', '/dev/null']
  return { dir, set, remoteSet, remotePart, flags, part: join(dir, 'part') }
}

t.test('create makes all replicas, info shows them, rm removes them', { timeout: 60_000 }, async t => {
  const { set, remoteSet, remotePart, part, flags } = await bed(t)
  const created = await rpmem('create', set, '--signature', 'CLI', '--major', '3', ...flags)
  t.match(created, { code: 0, out: /created, 8 MiB usable\n {2}master: .*\n {2}node2@.* a\.set: tcp, GPSPM; / })
  for (const file of [part, remotePart]) {
    t.match(await rpmem('info', file), { code: 0, out: /signature {9}CLI\n {2}major {13}3\n/ })
  }
  const removed = await rpmem('rm', set, '--pool-set', ...flags)
  t.match(removed, { code: 0, err: '' })
  t.equal(removed.out.match(/^removed /gm)?.length, 3)
  t.notOk([set, remoteSet, remotePart, part].some(existsSync))
})

t.test('create --json tells the transport and its reasons', { timeout: 60_000 }, async t => {
  const { set, flags } = await bed(t)
  const { out } = await rpmem('create', set, '--json', ...flags)
  t.match(JSON.parse(out), {
    size: 8 * 2 ** 20 - 4096,
    replicas: [{ kind: 'local' }, { kind: 'remote', transport: { provider: 'tcp', why: { length: 3 } } }],
  })
  t.equal((await rpmem('rm', set, '--json', ...flags)).out.split('\n').filter(Boolean).length, 2)
})

t.test('a create that fails on the target leaves nothing behind', { timeout: 60_000 }, async t => {
  const { dir, set, part, remotePart, flags } = await bed(t)
  writeFileSync(remotePart, 'something that is in the way')
  const before = readdirSync(dir)
  const { code, err } = await rpmem('create', set, ...flags)
  t.equal(code, 1)
  t.match(err, /^error ERR_/)
  t.match(err, /hint: /)
  t.notOk(existsSync(part))
  t.same(readdirSync(dir), before)
})

t.test('rm tells what it could not remove, and --force passes over what is not there', { timeout: 60_000 }, async t => {
  const { set, flags } = await bed(t)
  t.match(await rpmem('rm', set, ...flags), {
    code: 1,
    err: /not removed a\.set on node2@[\s\S]*\nnot removed .*part: ERR_PART_MISSING[\s\S]*hint: The pool is not whole/,
  })
  t.match(await rpmem('rm', set, '--force', ...flags), {
    code: 0,
    out: /removed a\.set on node2@[\s\S]*not there .*part\n/,
  })
})

t.test('an unknown host key is refused with a hint', { timeout: 60_000 }, async t => {
  const { dir, set, part, flags } = await bed(t)
  const empty = join(dir, 'empty')
  writeFileSync(empty, '')
  const [, identity = ''] = flags
  const refused = await rpmem('create', set, '-i', identity, '--known-hosts', empty, '--ssh-config', '/dev/null')
  t.match(refused, { code: 1, err: /ERR_HOST_KEY_UNKNOWN[\s\S]*hint: / })
  t.notOk(existsSync(part))
  t.equal((await rpmem('create', set, ...flags, '--known-hosts', empty)).code, 0, 'several files are searched')
})

for (const flags of [
  ['--transport', 'pigeon'],
  ['--major', 'x'],
  ['--mode', '999'],
]) {
  t.test(`create ${flags.join(' ')} is wrong usage`, async t => {
    const dir = t.testdir({ 'a.set': 'PMEMPOOLSET\n8M /nowhere/part\n' })
    t.equal((await rpmem('create', join(dir, 'a.set'), ...flags)).code, 2)
  })
}
