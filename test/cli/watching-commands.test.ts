import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { run } from '../../cli/command-line.js'
import { type Clock, RpmemError, systemClock } from '../../core/index.js'
import { Pool, StatusNote, statusPath } from '../../pool/index.js'
import { scratch, writeSet } from '../pool/scratch.js'
import { connectorTo, ScriptedTarget } from '../pool/scripted-target.js'
import { FakeIo } from './fake-io.js'

const clock: Clock = { nowMs: systemClock.nowMs, after: (ms, callback) => systemClock.after(ms, callback, 'holds') }

/** Tells of each line, and can be interrupted. */
class WatchedIo extends FakeIo {
  readonly stop = new AbortController()
  override readonly signal = this.stop.signal
  #heard: () => void = () => {}

  override readonly out = (text: string): void => {
    this.stdout += text
    this.#heard()
  }

  override readonly err = (text: string): void => {
    this.stderr += text
    this.#heard()
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.stdout + this.stderr)) await new Promise<void>(resolve => (this.#heard = resolve))
  }
}

async function bed(t: Test) {
  const directory = scratch(t)
  const target = new ScriptedTarget('node1')
  const set = writeSet(directory, 'x.set', `4M ${directory}/a`, 'REPLICA node1 x')
  const resync = { backOff: { firstMs: 1, mostMs: 2 } }
  const options = { connectRemote: connectorTo(target), policy: { onReplicaLost: 'degrade' }, resync, clock } as const
  const pool = await Pool.create(set, options)
  t.teardown(() => pool.close())
  const note = new StatusNote(statusPath(join(directory, 'a')))
  return { target, set, pool, note, options }
}

function away(target: ScriptedTarget): void {
  const lost = new RpmemError('ERR_TARGET_LOST', 'the connection broke')
  target.refusing = lost
  target.die(lost)
}

async function synced(pool: Pool): Promise<void> {
  while (pool.state === 'degraded') await once(pool, 'replica-state')
}

async function rpmem(...argv: string[]) {
  const io = new FakeIo()
  const code = await run(argv, io)
  return { code, out: io.stdout, err: io.stderr }
}

t.test('events tells how all stands and then each change once, in order, until an interrupt', async t => {
  const { target, set, pool } = await bed(t)
  const io = new WatchedIo()
  const following = run(['events', set, '--json'], io)
  await io.until(/"stands"/)
  away(target)
  pool.memsetPersistSync(0, 1, 8)
  await io.until(/"state":"lost"/)
  target.refusing = undefined
  await synced(pool)
  await io.until(/"state":"synced"[^\n]*\n$/)
  await pool.close()
  await io.until(/"state":"closed"/)
  io.stop.abort(new Error('enough'))
  t.equal(await following, 0)
  const lines = io.stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  t.match(lines[0], {
    kind: 'stands',
    use: 'open',
    replicas: [{ name: 'master' }, { name: 'node1 x', state: 'synced' }],
  })
  const changes = lines.slice(1)
  t.strictSame(
    changes.map(({ sequence }) => sequence),
    changes.map((_, index) => index + 2),
    'without gaps',
  )
  t.match(changes[0], { kind: 'change', replica: 'node1 x', state: 'lost', failure: /ERR_TARGET_LOST/ })
})

t.test('events reads well, and says when the program vanished', async t => {
  const { target, set, note } = await bed(t)
  const io = new WatchedIo()
  const following = run(['events', set], io)
  await io.until(/node1 x: synced\n/)
  away(target)
  await io.until(/node1 x: lost; ERR_TARGET_LOST: the connection broke/)
  t.match(io.stdout, /^\S+Z pool: open in process \d+ of \S+ since \S+Z\n\S+Z master: open\n\S+Z node1 x: synced\n/)
  const noted = note.read()
  if (!noted) throw new Error('there is a note')
  target.refusing = undefined
  // As if it had been the note of a process that is no more.
  const write = () => note.write({ ...noted, process: { ...noted.process, startTicks: 1 } })
  const timer = setInterval(write, 5)
  await io.until(/pool: process \d+ ended without closing it\n/)
  clearInterval(timer)
  io.stop.abort(new Error('enough'))
  t.equal(await following, 0)
})

t.test('wait returns when a replica is in step, and not before', async t => {
  const { target, set, pool } = await bed(t)
  t.match(await rpmem('wait', set, '--synced', '--json'), { code: 0, out: /"synced":true/, err: '' })
  away(target)
  pool.memsetPersistSync(0, 1, 8)
  const late = await rpmem('wait', set, '--synced', '--timeout', '0.2')
  t.match(late, {
    code: 1,
    err: /ERR_DEADLINE: not every replica .* after 0.2 s[\s\S]*node1 x: it is (lost|connecting)/,
  })
  const io = new WatchedIo()
  const waiting = run(['wait', set, '--synced', '--timeout', '30'], io)
  target.refusing = undefined
  t.equal(await waiting, 0)
  t.equal(pool.state, 'open')
  t.equal(io.stdout + io.stderr, '', 'silent in a pipe')
})

t.test('wait ends with an interrupt', async t => {
  const { target, set, pool } = await bed(t)
  away(target)
  pool.memsetPersistSync(0, 1, 8)
  const io = new WatchedIo()
  const waiting = run(['wait', set, '--synced'], io)
  io.stop.abort(new RpmemError('ERR_ABORTED', 'interrupted by SIGINT'))
  t.equal(await waiting, 1)
  t.match(io.stderr, /ERR_ABORTED: interrupted by SIGINT/)
})

t.test('metrics are printed and served, the same text', async t => {
  const { target, set, pool } = await bed(t)
  pool.memsetPersistSync(0, 1, 8)
  away(target)
  pool.memsetPersistSync(0, 1, 8)
  const { code, out } = await rpmem('metrics', set)
  t.equal(code, 0)
  const labels = `pool="${set}",replica="node1 x"`
  t.ok(out.includes(`rpmem_pool_up{pool="${set}"} 1\n`), out)
  t.match(out, new RegExp(`rpmem_replica_state\\{${labels},state="(lost|connecting)"\\} 1\n`))
  t.ok(out.includes(`rpmem_replica_state{${labels},state="synced"} 0\n`))
  t.ok(out.includes(`rpmem_replica_behind_bytes{${labels}} 4096\n`))
  t.ok(out.includes(`rpmem_replica_transport{${labels},provider="tcp",method="GPSPM"} 1\n`))
  t.match(out, new RegExp(`rpmem_persist_seconds_bucket\\{${labels},le="\\+Inf"\\} 1\nrpmem_persist_seconds_sum`))
  t.match(out, new RegExp(`rpmem_replica_retries_total\\{${labels}\\} \\d+\n`))
  const io = new WatchedIo()
  const serving = run(['metrics', set, '--listen', '0'], io)
  await io.until(/metrics\n/)
  const address = io.stderr.trimEnd()
  const answer = await fetch(address)
  t.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  t.match(await answer.text(), /^# HELP rpmem_pool_up/)
  t.equal((await fetch(address.replace('/metrics', '/'))).status, 404)
  t.match(await rpmem('metrics', set, '--listen', new URL(address).port), { code: 1, err: /EADDRINUSE/ })
  io.stop.abort(new Error('enough'))
  t.equal(await serving, 0)
  target.refusing = undefined
})

t.test('a program that is killed is missed, and what it noted last is not believed', async t => {
  const directory = scratch(t)
  const set = writeSet(directory, 'x.set', `4M ${directory}/a`, 'REPLICA node1 x')
  const child = spawn(process.execPath, [fileURLToPath(new URL('holding-child.js', import.meta.url)), set])
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  t.match(await rpmem('status', set), {
    code: 0,
    out: new RegExp(`open in process ${child.pid} of .*\n[\\s\\S]*node1 x: synced`),
  })
  const io = new WatchedIo()
  const following = run(['events', set], io)
  await io.until(/node1 x: synced\n/)
  child.kill('SIGKILL')
  await io.until(new RegExp(`pool: process ${child.pid} ended without closing it\n`))
  io.stop.abort(new Error('enough'))
  t.equal(await following, 0)
  t.match(await rpmem('status', set), {
    code: 1,
    out: /node1 x: not in step; [^\n]*\n {2}the last program ended without closing the pool/,
  })
  t.match(await rpmem('wait', set, '--synced', '--timeout', '0.1'), { code: 1, err: /ERR_DEADLINE/ })
  const { out } = await rpmem('metrics', set)
  t.match(out, /replica="node1 x",state="synced"\} 0\n/)
  t.match(out, /rpmem_pool_up\{[^}]*\} 0\n/)
})

t.test('there are no metrics of a pool of which nothing is noted', async t => {
  const set = writeSet(scratch(t), 'x.set', '4M /nowhere/a')
  t.match(await rpmem('metrics', set), { code: 1, err: /ERR_RECORD: nothing is noted/ })
  t.match(await rpmem('events', set, '--timeout', '0.1'), { code: 0, out: /pool: nothing is noted/ }, 'it may yet come')
})
