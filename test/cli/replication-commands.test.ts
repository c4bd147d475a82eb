import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Pool } from '../../initiator/index.js'
import { recordPath } from '../../pool/index.js'
import { removeNotes } from '../../pool/note-removal.js'
import { replicatedBed as bed, damage, rpmem } from './replicated-bed.js'

t.test('status knows nothing of a pool without notes, and all of one that was synced', { timeout: 60_000 }, async t => {
  const { dir, set, flags, remotePart } = await bed(t)
  await removeNotes(join(dir, 'part'))
  rmSync(recordPath(remotePart))
  t.match(await rpmem('status', set), {
    code: 1,
    out: /this copy: no record[\s\S]*a\.set: not in step\n {2}nothing is noted of what it misses/,
  })
  t.match(await rpmem('sync', set, ...flags), { code: 0, out: /master: open\nnode2@.* a\.set: synced\n/, err: '' })
  const { code, out } = await rpmem('status', set)
  t.equal(code, 0, out)
  t.match(out, /this copy: generation 1 \(created\) since \S+ by \S+ \d+; closed well\n/)
  t.match(out, /node2@.* a\.set: in step; durable by msync\n {2}misses nothing, last in step in generation 1\n/)
  t.match(out, / {2}tcp, GPSPM\n {4}verbs: .*\n {4}tcp: chosen, the first that both ends have\n/)
  const json = JSON.parse((await rpmem('status', set, '--json')).out)
  t.match(json, {
    good: true,
    record: { closed: true },
    use: 'closed',
    replicas: [{}, { missingBytes: 0, isWhole: true, inStep: true, transport: { provider: 'tcp' } }],
  })
})

t.test('verify finds a byte that differs, and repairs it when asked to', { timeout: 60_000 }, async t => {
  const { set, flags, remotePart } = await bed(t)
  await rpmem('sync', set, ...flags)
  t.match(await rpmem('verify', set, ...flags), { code: 0, out: /a\.set: equal, 8 MiB compared\n/, err: '' })
  damage(remotePart, 4096 + 5_000_000)
  const found = await rpmem('verify', set, ...flags)
  t.match(found, { code: 1, out: /a\.set: 64 KiB differ\n {2}65536 bytes at 4980736\n/ })
  t.match(await rpmem('verify', set, '--repair', ...flags), { code: 0, out: /64 KiB differ, 64 KiB repaired/ })
  const { code, out } = await rpmem('verify', set, '--json', ...flags)
  t.equal(code, 0)
  t.match(JSON.parse(out), { replicas: [{ differingBytes: 0, equal: true }] })
})

t.test('a promoted copy opens for writing, and the writer of before is refused', { timeout: 60_000 }, async t => {
  const { set, flags, remoteSet, remotePart } = await bed(t)
  const record = readFileSync(recordPath(remotePart))
  rmSync(recordPath(remotePart))
  t.match(await rpmem('promote', remoteSet), { code: 1, err: /ERR_RECORD/ }, 'a copy that was never kept')
  writeFileSync(recordPath(remotePart), record)
  await rpmem('sync', set, ...flags)
  const dry = await rpmem('promote', remoteSet, '--dry-run')
  t.match(dry, { code: 0, out: /is of generation 1[\s\S]*generation 2 would begin here/ })
  t.match(await rpmem('sync', set, ...flags), { code: 0 }, 'nothing has happened yet')
  t.match(await rpmem('promote', remoteSet), { code: 0, out: /generation 2 has begun here/ })
  const refused = await rpmem('sync', set, ...flags)
  t.match(refused, { code: 1, err: /ERR_REPLICA_AHEAD: .* has gone on without this copy/ })
  const promoted = await Pool.open(remoteSet, { alone: true })
  promoted.memsetPersistSync(0, 7, 8)
  t.match(await rpmem('promote', remoteSet), { code: 1, err: /ERR_POOL_BUSY/ }, 'nobody may have it open')
  await promoted.close()
  const replica = refused.err.match(/ERR_REPLICA_AHEAD: (\S+ a\.set): /)?.[1] ?? ''
  t.match(await rpmem('resolve', set, 'node9 a.set', ...flags), { code: 1, err: /keeps no replica 'node9 a.set'/ })
  t.match(await rpmem('resolve', set, replica, '--dry-run', ...flags), { code: 0, out: /64 KiB would be overwritten/ })
  t.match(await rpmem('sync', set, ...flags), { code: 1, err: /ERR_REPLICA_AHEAD/ }, 'nothing has happened yet')
  t.match(await rpmem('resolve', set, replica, ...flags), { code: 0, out: /64 KiB were overwritten/ })
  t.match(await rpmem('verify', set, ...flags), { code: 0, out: /equal/ })
  t.match(await rpmem('resolve', set, replica, ...flags), { code: 1, err: /only a copy that was refused/ })
})

t.test('numbers that make no sense are refused before anything is opened', async t => {
  t.match(await rpmem('verify', 'no.set', '--rate', 'fast'), { code: 2, err: /ERR_USAGE: --rate takes a number/ })
  t.match(await rpmem('sync', 'no.set', '--rate', '-5'), { code: 2, err: /ERR_USAGE: --rate takes a number/ })
  for (const text of ['0', '-1', 'x', '1e12']) {
    t.match(await rpmem('sync', 'no.set', '--timeout', text), { code: 2, err: /ERR_USAGE: --timeout takes/ }, text)
  }
  for (const text of ['5', '1:2:3', 'a:5', '5:0', '-1:5']) {
    t.match(await rpmem('verify', 'no.set', '--range', text), { code: 2, err: /ERR_USAGE: --range takes/ }, text)
  }
  for (const text of ['x', '70000', 'host', '::1:80']) {
    t.match(await rpmem('metrics', 'no.set', '--listen', text), { code: 2, err: /ERR_USAGE: --listen takes/ }, text)
  }
  t.match(await rpmem('wait', 'no.set'), { code: 2, err: /--synced/ })
})
