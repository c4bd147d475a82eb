import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { pageSize } from '../../core/index.js'
import { Pool } from '../../initiator/index.js'
import type { ReplicaReceipt } from '../../pool/index.js'
import { keptOptions, keptRemote, killKeptDaemon, synced } from './kept-pool.js'
import { type PowerPoolName, powerPools, powerRecords } from './power-records.js'
import { slowClock } from './slow-clock.js'

/**
 * One life of a machine whose plug will be pulled (scripts/vm/power-cuts.ts). First it judges what the life before left of
 * what had been acknowledged, in every copy; then it writes, and says `ack POOL COUNT` when a persist has completed, with the
 * word `here` behind it if the replica was away.
 */
interface Orders {
  /** Of the life before: its seed, how many persists of each pool were acknowledged, and which of the kept one without its replica. */
  readonly former?: {
    readonly seed: number
    readonly acked: Readonly<Record<PowerPoolName, number>>
    readonly here: readonly number[]
  }
  /** Of this one; none if it only judges. */
  readonly seed?: number
  /** Begin with new pools. */
  readonly create: boolean
  /** Which pools take part. */
  readonly pools: readonly PowerPoolName[]
}
type Former = NonNullable<Orders['former']>

const orders = JSON.parse(readFileSync('/run/lab/orders.json', 'utf8')) as Orders
const say = (line: string) => writeSync(1, `${line}\n`)
const pools = powerPools.filter(({ name }) => orders.pools.includes(name))
const size = 8 * 1024 * 1024
const room = size - pageSize
const masterOf = (name: string, folder: string) => join(folder, `${name}-master`)
const replicaOf = (name: string, folder: string) => join(folder, `${name}-replica`)
const none: ReadonlySet<number> = new Set()

function judge(former: Former): void {
  for (const { name, master, replica } of pools) {
    judgeFile(former, name, masterOf(name, master), none)
    judgeFile(former, name, replicaOf(name, replica), name === 'kept' ? new Set(former.here) : none)
  }
}

function judgeFile({ seed, acked }: Former, name: PowerPoolName, file: string, excused: ReadonlySet<number>): void {
  const missing = missingIn(file, seed, name, acked[name]).filter(number => !excused.has(number))
  say(`judged ${name} ${file} ${acked[name]} ${missing.length}`)
  if (missing.length > 0) say(`first missing: ${missing[0]} of ${acked[name]} in ${file}`)
}

/** Numbers of the records that were acknowledged and are not in the file as they were written. */
function missingIn(path: string, seed: number, name: PowerPoolName, acked: number): number[] {
  const missing: number[] = []
  const file = existsSync(path) ? openSync(path, 'r') : undefined
  let number = 0
  for (const { offset, bytes } of powerRecords(seed, name, room)) {
    if (++number > acked) break
    const seen = new Uint8Array(bytes.length)
    if (file !== undefined) readSync(file, seen, 0, seen.length, pageSize + offset)
    if (file === undefined || Buffer.compare(seen, bytes) !== 0) missing.push(number)
  }
  if (file !== undefined) closeSync(file)
  return missing
}

/** The replica of the kept pool is brought up to date, and then has all that the master has. */
async function judgeResync(former: Former): Promise<void> {
  const kept = pools.find(({ name }) => name === 'kept')
  if (kept === undefined) return
  const pool = await start(kept, false)
  await synced(pool)
  judgeFile(former, 'kept', replicaOf('kept', kept.replica), none)
  await pool.close()
  const [here, there] = [masterOf('kept', kept.master), replicaOf('kept', kept.replica)].map(path =>
    readFileSync(path).subarray(pageSize),
  )
  say(`judged kept resynced 1 ${here && there?.equals(here) ? 0 : 1}`)
}

/** In the place of ssh: what it would run on the other machine runs here, as sshd would start it. */
function localShell(): string {
  const program = '/tmp/local-shell'
  writeFileSync(
    program,
    '#!/bin/sh\nfor last; do :; done\nSSH_CONNECTION="10.77.0.1 1 10.77.0.1 22" exec sh -c "$last"\n',
  )
  chmodSync(program, 0o755)
  return program
}

const sets = '/tmp/sets'
const command = `${process.execPath} ${resolve('dist/cli/rpmemd.js')} --poolset-dir=${sets} --log-file=/tmp/rpmemd.log`
const common = { command, ssh: { program: localShell() }, lanes: 1, deadlineMs: 60_000, clock: slowClock }

async function start({ name, master, replica }: (typeof powerPools)[number], create: boolean): Promise<Pool> {
  mkdirSync(sets, { recursive: true })
  const set = join(sets, `${name}.set`)
  writeFileSync(join(sets, `${name}-replica.set`), `PMEMPOOLSET\n${size} ${replicaOf(name, replica)}\n`)
  writeFileSync(set, `PMEMPOOLSET\n${size} ${masterOf(name, master)}\nREPLICA 10.77.0.1 ${name}-replica.set\n`)
  const options = name === 'kept' ? { ...keptOptions, remote: keptRemote(common) } : { remote: common }
  if (!create) return Pool.open(set, options)
  for (const [folder, prefix] of [
    [master, `${name}-master`],
    [replica, `${name}-replica`],
  ] as const) {
    for (const file of readdirSync(folder)) if (file.startsWith(prefix)) rmSync(join(folder, file))
  }
  return Pool.create(set, { signature: 'POWERCUT', ...options })
}

/** The daemon of the kept pool is killed after so many records. */
const killEvery = 25

const holds = ({ level }: ReplicaReceipt) => level === 'durable' || level === 'deep'

async function write(open: readonly (readonly [PowerPoolName, Pool])[], seed: number): Promise<void> {
  const writers = open.map(([name, pool]) => ({ name, pool, records: powerRecords(seed, name, room), count: 0 }))
  say('writing')
  for (let running = true; running; ) {
    running = false
    for (const writer of writers) {
      const next = writer.records.next()
      if (next.done) continue
      running = true
      const { offset, bytes } = next.value
      writer.pool.view(offset, bytes.length).set(bytes)
      const { replicas } = writer.pool.persistSync(offset, bytes.length)
      say(`ack ${writer.name} ${++writer.count}${replicas.every(holds) ? '' : ' here'}`)
      if (writer.name === 'kept' && writer.count % killEvery === 0 && writer.pool.state === 'open') killKeptDaemon()
    }
    // The kept replica comes back in turns of the event loop.
    await nextTurn()
  }
  say('full')
}

if (orders.former) {
  judge(orders.former)
  await judgeResync(orders.former)
}
say('judged')
if (orders.seed !== undefined) {
  const open = await Promise.all(pools.map(async pool => [pool.name, await start(pool, orders.create)] as const))
  await write(open, orders.seed)
  // Until the plug is pulled.
  setInterval(() => {}, 1000)
}
