import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { MiB, pageSize, seededRandom } from '../../core/index.js'
import { Pool } from '../../pool/index.js'
import { slotCount, slotSize, wordsOf } from './records.js'
import { scratch, writeSet } from './scratch.js'

const child = fileURLToPath(new URL('pool-child.js', import.meta.url))

/**
 * A child and the lines that it says; it never outlives its test. What the test runner loads into every process would take
 * hold of its signals and standard output, hence without NODE_OPTIONS.
 */
function start(t: Test, ...command: string[]) {
  const process = spawn('env', ['--unset=NODE_OPTIONS', ...command], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => process.kill('SIGKILL'))
  return { process, lines: createInterface({ input: process.stdout })[Symbol.asyncIterator](), ended: ended(process) }
}

const ended = (process: ChildProcess) => once(process, 'close')
const node = process.execPath

t.test('another process is refused as long as this one has the pool, and the other way round', async t => {
  const directory = scratch(t)
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, 'REPLICA', `2M ${directory}/b`)
  const pool = await Pool.create(set)
  const refused = start(t, node, child, 'create', set)
  t.equal((await refused.lines.next()).value, 'ERR_POOL_BUSY')
  await refused.ended
  await pool.close()

  const holder = start(t, node, child, 'hold', set)
  t.equal((await holder.lines.next()).value, 'open')
  await t.rejects(Pool.open(set), { code: 'ERR_POOL_BUSY', facts: { part: `${directory}/a` } })
  holder.process.kill('SIGKILL')
  await holder.ended
  await (await Pool.open(set)).close()
  t.pass('the lock of a killed process is gone')
})

t.test('a limit on the size of files is a full disk, and nothing is left', async t => {
  const directory = scratch(t)
  const set = writeSet(directory, 'x.set', `2M ${directory}/a`, `4M ${directory}/b`)
  const limited = start(t, 'prlimit', `--fsize=${3 * MiB}`, node, child, 'create', set)
  t.equal((await limited.lines.next()).value, 'ERR_DISK_FULL')
  t.equal((await limited.lines.next()).value, 'x.set')
  await limited.ended
  t.notOk(existsSync(`${directory}/a`))
})

t.test('a file system that is too small is a full disk, and nothing is left', async t => {
  const directory = scratch(t)
  const script = [
    'mount -t tmpfs -o size=5m none "$1" || exit 77',
    'printf "PMEMPOOLSET\\n2M %s/a\\n4M %s/b\\n" "$1" "$1" > "$1/x.set"',
    'exec "$2" "$3" create "$1/x.set"',
  ].join('\n')
  const small = start(t, 'unshare', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', directory, node, child)
  const said = [await small.lines.next(), await small.lines.next()].map(({ value }) => value)
  const [status] = await small.ended
  if (status !== 0 && said[0] === undefined)
    t.pass('tmpfs of 5 MiB', { skip: 'no user namespace with a tmpfs can be made here' })
  else t.strictSame(said, ['ERR_DISK_FULL', 'x.set'])
})

const seed = Number(process.env.RPMEM_TEST_SEED ?? Date.now() % 2 ** 31)

t.test(`what a killed writer had confirmed is there on every replica (RPMEM_TEST_SEED=${seed})`, async t => {
  const random = seededRandom(seed)
  const directory = scratch(t)
  const lines = [`2M ${directory}/a`, `2M ${directory}/b`, 'REPLICA', `4M ${directory}/c`]
  for (let round = 0; round < 5; round++) {
    const set = writeSet(directory, 'x.set', ...lines)
    if (!existsSync(`${directory}/a`)) await (await Pool.create(set)).close()
    else {
      const pool = await Pool.open(set)
      pool.memsetPersistSync(0, 0, slotCount * slotSize)
      await pool.close()
    }
    const writer = start(t, node, child, 'write', set)
    const [low = 0, high = 0] = random.bytes(2)
    const enough = 1 + low + (high % 8) * 256
    let confirmed = 0
    for (let line = await writer.lines.next(); !line.done; line = await writer.lines.next()) {
      confirmed = Number(line.value)
      if (confirmed === enough) writer.process.kill('SIGKILL')
    }
    await writer.ended
    t.ok(confirmed >= enough, `round ${round}: killed after record ${confirmed}`)

    const pool = await Pool.open(set)
    const master = new Uint8Array(slotCount * slotSize)
    pool.read(0, master)
    await pool.close()
    const local = readFileSync(`${directory}/c`).subarray(pageSize, pageSize + master.length)
    for (const [name, bytes] of [['master', master] as const, ['local replica 1', new Uint8Array(local)] as const]) {
      t.equal(wrongSlot(bytes, confirmed), undefined, `every slot of the ${name}`)
    }
  }
})

/** The first slot that holds anything else than its last confirmed record or, where one was under way, words of the next. */
function wrongSlot(bytes: Uint8Array, confirmed: number): string | undefined {
  for (let slot = 0; slot < slotCount; slot++) {
    const last = Math.max(0, confirmed - ((((confirmed - slot) % slotCount) + slotCount) % slotCount))
    const found = wordsOf(bytes.subarray(slot * slotSize, (slot + 1) * slotSize))
    const next = confirmed + 1
    if (next % slotCount === slot) found.delete(next)
    else if (!found.has(last)) return `slot ${slot} lacks ${last}`
    found.delete(last)
    if (found.size > 0) return `slot ${slot} holds ${[...found]} beside ${last}`
  }
  return undefined
}
