import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Pool } from '../../initiator/index.js'
import { RecordFile, recordPath } from '../../pool/index.js'
import { damage, replicatedBed, rpmem } from './replicated-bed.js'

const limit = { timeout: 120_000 }
const user = 4096

/** Something in the pool that a copy has to have. */
async function filled(t: Parameters<typeof replicatedBed>[0], ...options: string[]) {
  const bed = await replicatedBed(t, ...options)
  const remote = {
    ssh: {
      identityFiles: [bed.nodes.identityFile],
      knownHostsFiles: [bed.nodes.knownHostsFile],
      configFile: '/dev/null',
    },
  }
  const pool = await Pool.open(bed.set, { remote, policy: {} })
  for (let at = 0; at < pool.size; at += 1_000_003) pool.memsetPersistSync(at, 1 + (at % 255), 500)
  await pool.close()
  const part = join(bed.dir, 'part')
  return { ...bed, part, remote, content: readFileSync(part), lines: (out: string) => out.trimEnd().split('\n') }
}

function lose(part: string): void {
  for (const ending of ['', '.record', '.status']) rmSync(`${part}${ending}`, { force: true })
}

for (const options of [[], ['OPTION NOHDRS'], ['OPTION SINGLEHDR']]) {
  const base = options[0] === 'OPTION NOHDRS' ? 0 : user
  t.test(`a lost master is made again from its replica ${options}`, limit, async t => {
    const { set, flags, part, content, remote, lines } = await filled(t, ...options)
    lose(part)
    t.match(await rpmem('sync', set, ...flags), { code: 1, err: /ERR_PART_MISSING/ })
    const dry = await rpmem('restore', set, '--dry-run', ...flags)
    t.match(dry, { code: 0, out: /^would make the master from node2@\S+ a\.set, 8 MiB, and verify every block\n$/ })
    t.notOk(existsSync(part), 'a dry run does nothing')
    const act = await rpmem('restore', set, ...flags)
    t.equal(act.code, 0, act.err)
    t.strictSame(
      lines(dry.out).map(line => line.replace(/^would /, '')),
      lines(act.out),
      'and tells what is done',
    )
    t.ok(readFileSync(part).subarray(base).equals(content.subarray(base)))
    t.match(await rpmem('verify', set, ...flags), { code: 0 })
    t.match(await rpmem('sync', set, ...flags), { code: 0 })
    const pool = await Pool.open(set, { remote })
    t.equal(pool.state, 'open', 'its links are right, without a policy too')
    await pool.close()
  })

  t.test(`a lost remote replica is made again from the master ${options}`, limit, async t => {
    const { set, flags, remotePart, content, remote } = await filled(t, ...options)
    lose(remotePart)
    const act = await rpmem('restore', set, ...flags)
    t.match(act, { code: 0, out: /^make node2@\S+ a\.set from the master, 8 MiB, and verify every block\n$/ }, act.err)
    t.ok(readFileSync(remotePart).subarray(base).equals(content.subarray(base)))
    t.match(await rpmem('status', set), { code: 1 }, 'what is noted of the lost one does not hold for the new one')
    t.match(await rpmem('sync', set, ...flags), { code: 0 })
    t.match(await rpmem('status', set), { code: 0 })
    const pool = await Pool.open(set, { remote })
    t.equal(pool.state, 'open')
    await pool.close()
  })
}

t.test('what is left of a replica is overwritten by force alone', limit, async t => {
  const { set, flags, part, content } = await filled(t)
  writeFileSync(part, Buffer.alloc(user, 7), { flag: 'r+' })
  const refused = await rpmem('restore', set, ...flags)
  t.match(refused, { code: 1, err: /ERR_PART_EXISTS: master is damaged[\s\S]*ERR_HEADER_INVALID[\s\S]*--force/ })
  t.match(await rpmem('restore', set, '--force', ...flags), {
    code: 0,
    out: /^remove what is left of master\nmake the master/,
  })
  t.ok(readFileSync(part).subarray(user).equals(content.subarray(user)))
})

t.test(
  'nobody takes a copy for whole whose making was cut short, and the next restore goes on with it',
  limit,
  async t => {
    const { set, flags, part, content, remote, remotePart } = await filled(t)
    const store = new RecordFile(recordPath(part))
    const record = store.read()
    if (!record) throw new Error('the master has a record')
    store.write({ ...record, syncing: true })
    damage(part, 3_000_000)
    for (const policy of [undefined, {}]) {
      const opening = Pool.open(set, { remote, ...(policy && { policy }) })
      await t.rejects(opening, { code: 'ERR_RECORD', message: /master was being made/ })
    }
    t.match(await rpmem('restore', set, ...flags), { code: 0, out: /^make the master from/ })
    t.ok(readFileSync(part).subarray(user).equals(content.subarray(user)))
    const there = new RecordFile(recordPath(remotePart))
    const theirs = there.read()
    if (!theirs) throw new Error('the replica has a record')
    there.write({ ...theirs, syncing: true })
    t.match(await rpmem('restore', set, ...flags), { code: 0, out: /^finish node2@\S+ a\.set from the master/ })
    await (await Pool.open(set, { remote })).close()
  },
)

t.test('the exit code is 0 only if all was verified', limit, async t => {
  const { set, flags, remotePart, part, nodes } = await filled(t)
  t.match(await rpmem('restore', set, ...flags), {
    code: 0,
    out: /^verify node2@\S+ a\.set against the master, 8 MiB\n$/,
  })
  damage(remotePart, 5_000_000)
  t.match(await rpmem('restore', set, ...flags), {
    code: 1,
    err: /ERR_COPY_DIFFERS: .* differs from the master in 65536 bytes/,
  })
  t.match(await rpmem('restore', set, '--from', 'nobody', ...flags), {
    code: 1,
    err: /'nobody' is no replica that is good/,
  })
  truncateSync(part, 4096)
  await nodes.close()
  t.match(await rpmem('restore', set, ...flags), { code: 1, err: /ERR_RECORD: no replica is good/ })
})

t.test('a replica that cannot be reached is told, and fails the command', limit, async t => {
  const { set, flags, nodes } = await filled(t)
  await nodes.close()
  t.match(await rpmem('restore', set, ...flags), { code: 1, out: '', err: /a\.set: not verified, ERR_SSH_REFUSED/ })
})
