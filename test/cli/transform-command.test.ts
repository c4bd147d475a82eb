import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Pool } from '../../initiator/index.js'
import { replicatedBed, rpmem } from './replicated-bed.js'

const limit = { timeout: 120_000 }

/** A pool with a replica on node2, and a pool set for one on node3. */
async function bed(t: Test, ...options: string[]) {
  const made = await replicatedBed(t, ...options)
  const { dir, nodes, set, flags } = made
  const ssh = { identityFiles: [nodes.identityFile], knownHostsFiles: [nodes.knownHostsFile], configFile: '/dev/null' }
  const pool = await Pool.open(set, { remote: { ssh } })
  for (let at = 0; at < pool.size; at += 1_000_003) pool.memsetPersistSync(at, 1 + (at % 255), 500)
  const bytes = Buffer.from(pool.view(0, pool.size))
  await pool.close()
  const other = nodes.poolSetDir('node3')
  writeFileSync(join(other, 'a.set'), ['PMEMPOOLSET', ...options, `8M ${other}/part`, ''].join('\n'))
  const setOf = (name: string, ...lines: string[]) => {
    const path = join(dir, name)
    writeFileSync(path, ['PMEMPOOLSET', ...options, ...lines, ''].join('\n'))
    return path
  }
  const lines = {
    master: `8M ${dir}/part`,
    moved: `8M ${dir}/moved`,
    node2: `REPLICA ${nodes.address('node2')} a.set`,
    node3: `REPLICA ${nodes.address('node3')} a.set`,
  }
  const transform = async (next: string, ...more: string[]) => rpmem('transform', set, next, ...more, ...flags)
  return { ...made, bytes, ssh, setOf, lines, transform, otherPart: join(other, 'part') }
}

async function holds(t: Test, set: string, { bytes, ssh, flags }: Awaited<ReturnType<typeof bed>>): Promise<void> {
  t.match(await rpmem('verify', set, ...flags), { code: 0 })
  const pool = await Pool.open(set, { remote: { ssh } })
  t.equal(pool.state, 'open')
  t.ok(Buffer.from(pool.view(0, pool.size)).equals(bytes))
  await pool.close()
}

for (const options of [[], ['OPTION NOHDRS']]) {
  t.test(`a remote replica is added, the act as the dry run said ${options}`, limit, async t => {
    const made = await bed(t, ...options)
    const { lines, setOf, transform, otherPart } = made
    const next = setOf('b.set', lines.master, lines.node2, lines.node3)
    const dry = await transform(next, '--dry-run')
    t.equal(dry.code, 0, dry.err)
    t.notOk(existsSync(otherPart))
    const act = await transform(next)
    t.equal(act.code, 0, act.err)
    t.equal(dry.out.replaceAll(/^would /gm, ''), act.out)
    t.match(
      act.out,
      /^add node3@\S+ a\.set: copy 8 MiB from the master and verify every block\nlet \S+ describe the pool/,
    )
    await holds(t, next, made)
  })
}

t.test('the master moves and one target takes the place of another', limit, async t => {
  const made = await bed(t)
  const { lines, setOf, transform, dir, remotePart, otherPart } = made
  const next = setOf('b.set', lines.moved, lines.node3)
  const { code, out, err } = await transform(next, '--json')
  t.equal(code, 0, err)
  t.equal(JSON.parse(out).steps.length, 5)
  await holds(t, next, made)
  t.strictSame(
    readdirSync(dir).filter(name => name.startsWith('part')),
    [],
    'neither parts nor notes are left of the old master',
  )
  t.notOk(existsSync(remotePart))
  t.ok(existsSync(otherPart))
})

t.test('a target that is gone for good is left out, and told', limit, async t => {
  const made = await bed(t)
  const { lines, setOf, transform } = made
  const gone = setOf('gone.set', lines.master, lines.node2, lines.node3)
  t.equal((await transform(gone)).code, 0)
  writeFileSync(gone, readFileSync(gone, 'utf8').replace('node2@127.0.0.1', 'nobody@127.0.0.1'))
  const next = setOf('b.set', lines.master, lines.node3)
  const { code, out, err } = await rpmem('transform', gone, next, ...made.flags)
  t.equal(code, 0, err)
  t.match(out, /^let \S+ describe the pool[^\n]*\nleave nobody@\S+ a\.set as it is, for it cannot be reached\n$/)
  await holds(t, next, made)
})

t.test('what a target would refuse, the dry run refuses', limit, async t => {
  const { lines, setOf, transform, nodes, otherPart } = await bed(t)
  const next = setOf('b.set', lines.master, lines.node2, lines.node3)
  writeFileSync(otherPart, 'somebody else’s')
  t.match(await transform(next, '--dry-run'), {
    code: 1,
    err: /ERR_PART_EXISTS: there is something at the place of node3@/,
  })
  const small = join(nodes.poolSetDir('node3'), 'a.set')
  writeFileSync(small, `PMEMPOOLSET\n4M ${otherPart}\n`)
  t.match(await transform(next, '--dry-run'), { code: 1, err: /ERR_POOL_SIZE/ })
  t.match(await rpmem('transform', 'a.set'), { code: 2, err: /ERR_USAGE/ })
  t.match(await rpmem('transform', 'no.set', 'b.set'), { code: 1, err: /ERR_POOLSET_MISSING/ })
})
