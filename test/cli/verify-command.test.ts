import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { replicatedBed as bed, damage, rpmem } from './replicated-bed.js'

t.test('verify changes nothing, and only --repair does', { timeout: 60_000 }, async t => {
  const { dir, set, flags, remotePart } = await bed(t, 'OPTION NOHDRS')
  await rpmem('sync', set, ...flags)
  damage(remotePart, 5_000_000)
  damage(remotePart, 100)
  const before = readFileSync(remotePart)
  const records = () => [readFileSync(join(dir, 'part.record')), readFileSync(`${remotePart}.record`)]
  const noted = records()
  const found = await rpmem('verify', set, ...flags)
  t.match(found, { code: 1, out: /a\.set: 128 KiB differ\n {2}65536 bytes at 0\n {2}65536 bytes at 4980736\n$/ })
  t.ok(before.equals(readFileSync(remotePart)))
  t.strictSame(records(), noted)
  t.match(await rpmem('verify', set, '--range', '1M:1M', ...flags), { code: 0, out: /equal, 1 MiB compared/ })
  const repaired = await rpmem('verify', set, '--repair', '--range', '4M:2M', ...flags)
  t.match(repaired, { code: 0, out: /64 KiB differ, 64 KiB repaired/ })
  t.match(await rpmem('verify', set, ...flags), { code: 1, out: /64 KiB differ\n {2}65536 bytes at 0\n$/ })
  t.match(await rpmem('verify', set, '--range', '8M:1', ...flags), { code: 1, err: /ERR_RANGE/ })
})

t.test('verify says of a replica that it cannot reach that it was not verified', { timeout: 60_000 }, async t => {
  const { set, flags, nodes } = await bed(t)
  await rpmem('sync', set, ...flags)
  await nodes.close()
  t.match(await rpmem('verify', set, ...flags), { code: 1, out: /a\.set: not verified, ERR_SSH_REFUSED/ })
  const { code, out } = await rpmem('verify', set, '--json', ...flags)
  t.equal(code, 1)
  t.match(JSON.parse(out), { equal: false, replicas: [{ equal: false, error: { code: 'ERR_SSH_REFUSED' } }] })
  t.match(await rpmem('verify', set, '--repair', ...flags), { code: 1, err: /ERR_SSH_REFUSED/ })
})
