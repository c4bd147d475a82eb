import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { pageSize } from '../../core/index.js'
import { Pool } from '../../initiator/index.js'
import { type PowerPoolName, powerPools, powerRecords } from './power-records.js'
import { slowClock } from './slow-clock.js'

/**
 * One life of a machine whose plug will be pulled (scripts/vm/power-cuts.ts). First it judges what the life before left of
 * what had been acknowledged, in every copy; then it writes, and says `ack POOL COUNT` when a persist has completed.
 */
interface Orders {
  /** Of the life before: its seed, and how many persists of each pool were acknowledged. */
  readonly former?: { readonly seed: number; readonly acked: Readonly<Record<PowerPoolName, number>> }
  /** Of this one; none if it only judges. */
  readonly seed?: number
  /** Begin with new pools. */
  readonly create: boolean
}

const orders = JSON.parse(readFileSync('/run/lab/orders.json', 'utf8')) as Orders
const say = (line: string) => writeSync(1, `${line}\n`)
const size = 8 * 1024 * 1024
const room = size - pageSize
const masterOf = (name: string, folder: string) => join(folder, `${name}-master`)
const replicaOf = (name: string, folder: string) => join(folder, `${name}-replica`)

function judge({ seed, acked }: NonNullable<Orders['former']>): void {
  for (const { name, master, replica } of powerPools) {
    for (const file of [masterOf(name, master), replicaOf(name, replica)]) {
      const missing = missingIn(file, seed, name, acked[name])
      say(`judged ${name} ${file} ${acked[name]} ${missing.length}`)
      if (missing.length > 0) say(`first missing: ${missing[0]} of ${acked[name]}`)
    }
  }
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

async function begin(program: string): Promise<[PowerPoolName, Pool][]> {
  const sets = '/tmp/sets'
  mkdirSync(sets)
  const command = `${process.execPath} ${resolve('dist/cli/rpmemd.js')} --poolset-dir=${sets} --log-file=/tmp/rpmemd.log`
  const remote = { command, ssh: { program }, lanes: 1, deadlineMs: 60_000, clock: slowClock }
  const pools = powerPools.map(async ({ name, master, replica }): Promise<[PowerPoolName, Pool]> => {
    const set = join(sets, `${name}.set`)
    writeFileSync(join(sets, `${name}-replica.set`), `PMEMPOOLSET\n${size} ${replicaOf(name, replica)}\n`)
    writeFileSync(set, `PMEMPOOLSET\n${size} ${masterOf(name, master)}\nREPLICA 10.77.0.1 ${name}-replica.set\n`)
    if (!orders.create) return [name, await Pool.open(set, { remote })]
    for (const file of [masterOf(name, master), replicaOf(name, replica)]) rmSync(file, { force: true })
    return [name, await Pool.create(set, { signature: 'POWERCUT', remote })]
  })
  return Promise.all(pools)
}

function write(pools: [PowerPoolName, Pool][], seed: number): void {
  const writers = pools.map(([name, pool]) => ({ name, pool, records: powerRecords(seed, name, room), count: 0 }))
  say('writing')
  for (let running = true; running; ) {
    running = false
    for (const writer of writers) {
      const next = writer.records.next()
      if (next.done) continue
      running = true
      const { offset, bytes } = next.value
      writer.pool.view(offset, bytes.length).set(bytes)
      writer.pool.persistSync(offset, bytes.length)
      say(`ack ${writer.name} ${++writer.count}`)
    }
  }
  say('full')
}

if (orders.former) judge(orders.former)
say('judged')
if (orders.seed !== undefined) {
  const pools = await begin(localShell())
  write(pools, orders.seed)
  // Until the plug is pulled.
  setInterval(() => {}, 1000)
}
